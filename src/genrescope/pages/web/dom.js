// Elements in one line, and numbers as people read them.

export function make(name, fields = {}, children = []) {
  const element = Object.assign(document.createElement(name), fields);
  element.append(...children);
  return element;
}

export function percent(share) {
  return `${Math.round(100 * share)} %`;
}

export function counted(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

// Minutes and seconds; an empty text where they are not known.
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// Give an element a genre's colours, of light and of dark pages.
export function tinted(element, genre) {
  element.style.setProperty("--light", genre.light);
  element.style.setProperty("--dark", genre.dark);
  return element;
}

// A dot in a genre's colour, for beside its name.
export function dot(genre) {
  return tinted(make("i", { className: "dot" }), genre);
}
