// Tables that a person takes along: predictions as `genrescope predict --format csv` writes them, and corrections as
// `genrescope train --corrections` reads them.

import { isOver } from "./session.js";

const FIRST = ["path", "artist", "title", "album", "genre", "confidence", "unknown", "seconds", "warning"];
const LAST = ["identity", "model"];
const FORMULA = /^'*[=+\-@\t\r]/; // a spreadsheet would calculate with such a cell; genrescope takes the apostrophe away

// A line of CSV as genrescope writes it.
export function csvLine(values) {
  const cells = values.map((value) => (typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value ?? "")));
  const isOdd = cells.some((cell) => cell.includes("\r"));
  const quoted = (cell) => (isOdd || /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return `${cells.map(quoted).join(",")}\n`;
}

// The songs that were classified. Cells of what a page cannot know, such as tags and identity, stay empty.
export function predictionsCsv(songs, model) {
  const scores = model.labels.map((label) => ([...FIRST, ...LAST].includes(label) ? `${label} (score)` : label));
  const rows = songs.filter((song) => isOver(song) && song.result).map((song) => predictionRow(song, model));
  return [[...FIRST, ...scores, ...LAST], ...rows].map(csvLine).join("");
}

// The model's fingerprint is that of predictions by all windows.
function predictionRow({ name, result, quick }, { labels, fingerprint }) {
  const { artist, title, album, genre, confidence, unknown, seconds, warnings = [] } = result;
  const first = [name, artist, title, album, genre, confidence, unknown ? "True" : "False", seconds, warnings.join("; ")];
  return [...first, ...labels.map((label) => result.scores[label]), "", quick ? "" : fingerprint];
}

export function correctionsCsv(songs) {
  const rows = songs.filter((song) => song.corrected).map((song) => [song.name, song.corrected]);
  return [["path", "genre"], ...rows].map(csvLine).join("");
}
