// A genre's name and its colours, {name, light, dark}, as `dot` and `tinted` of dom.js take them.

const GREY = { light: "#6b7280", dark: "#9ca3af" }; // of a label that the model gives no colour

// The colours of a model's labels, by name.
export function coloursOf(model) {
  const { labels = [], colours = {}, colours_dark: dark = {} } = model ?? {};
  const of = (name) => ({ name, light: colours[name] ?? GREY.light, dark: dark[name] ?? colours[name] ?? GREY.dark });
  return new Map(labels.map((name) => [name, of(name)]));
}

export const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

// A colour for drawing on a canvas, as the page is now.
export function painted(genre) {
  return genre ? genre[isDark() ? "dark" : "light"] : "transparent";
}
