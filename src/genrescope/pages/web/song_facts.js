// What a row says of a song: its genre, how sure that is, and why it deserves a second look.

import { clock, counted, percent } from "./dom.js";
import { isOver } from "./session.js";

export const NEGATIVE = "not-mine"; // the genre of a correction that says "none of these", as `train` reads it
const CLOSE = 0.1; // two highest scores that lie nearer than this leave the genre open

// The labels of a correction that names several, as tables have them.
export const labelsOf = (genre) => (genre ? genre.split("; ") : []);

// Of which sort its answer is: "waiting", "working", "failed", "silence", "unknown" or "genre".
export function kindOf(song) {
  if (song.state === "failed") return "failed";
  if (!song.result) return song.state === "waiting" && !song.pause ? "waiting" : "working";
  if (isSilent(song)) return "silence";
  return song.result.unknown ? "unknown" : "genre";
}

const isSilent = ({ windows }) => windows.length > 0 && windows.every((window) => window.silent);

// The genre that counts: a person's, else the model's; null for songs that have none.
export function genreOf(song) {
  if (song.corrected) return labelsOf(song.corrected)[0];
  return kindOf(song) === "genre" ? song.result.genre : null;
}

export function genreText(song) {
  if (song.corrected) return song.corrected === NEGATIVE ? "none of these" : labelsOf(song.corrected).join(", ");
  const texts = {
    waiting: () => "waiting", working: () => progressText(song), failed: () => "failed", silence: () => "silence",
    unknown: () => "none of these", genre: () => song.result.genre ?? "none",
  };
  return texts[kindOf(song)]();
}

export function progressText(song) {
  if (song.pause) return `the service is busy, next try in ${counted(song.pause, "second", "seconds")}`;
  if (song.state === "waiting") return song.sent < 1 ? `sending, ${percent(song.sent)}` : queuedText(song);
  const { done, total } = song.progress, parts = [clock(done || null), clock(total)].filter(Boolean);
  return [song.state === "decoding" ? "decoding" : "", parts.join(" of ")].filter(Boolean).join(", ");
}

const queuedText = ({ ahead }) => (ahead ? `${counted(ahead, "song", "songs")} ahead` : "waiting");

// Why to look again, in the words of `genrescope library list --doubtful`.
export function reasons(song, model) {
  const { result } = song;
  if (!result) return [];
  const found = [...(result.warnings ?? [])];
  if (result.unknown) found.push("unknown: probably none of the genres");
  if (hasThresholds(model) && !result.labels.length) found.push("no genre reaches its threshold");
  const [first, second] = Object.entries(result.scores).sort(([, one], [, other]) => other - one);
  if (second && first[1] - second[1] < CLOSE && (model?.exclusive !== false || result.labels.length < 2)) {
    found.push(`close: ${first[0]} ${first[1].toFixed(2)}, ${second[0]} ${second[1].toFixed(2)}`);
  }
  return found;
}

const hasThresholds = (model) => Object.keys(model?.thresholds ?? {}).length > 0;

// The most doubtful has the highest value. A correction changes nothing: the row stays under the person's hand.
export function doubt(song) {
  if (song.state === "failed") return 3;
  const { unknown, confidence, warnings = [] } = song.result;
  return (unknown ? 1 : 0) + (warnings.length ? 0.5 : 0) + 1 - confidence;
}

export const confidenceOf = (song) => (isOver(song) && song.result ? song.result.confidence : null);

export const folderOf = (song) => song.name.slice(0, Math.max(0, song.name.lastIndexOf("/")));
export const titleOf = (song) => song.name.slice(song.name.lastIndexOf("/") + 1);
