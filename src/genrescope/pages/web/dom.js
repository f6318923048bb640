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

// A text as a sentence: with a capital, and an end.
export function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

// Minutes and seconds; an empty text where they are not known.
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// Hours, minutes and seconds of something that may take days.
export function duration(seconds) {
  const whole = Math.floor(seconds), hours = Math.floor(whole / 3600), two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

// The time of day of a moment, in milliseconds, as 21:04:10 or 21:04.
export function timeOfDay(moment, { seconds = true } = {}) {
  const two = (number) => String(number).padStart(2, "0"), date = new Date(moment);
  const parts = [date.getHours(), date.getMinutes(), ...(seconds ? [date.getSeconds()] : [])];
  return parts.map(two).join(":");
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
