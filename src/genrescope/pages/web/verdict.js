// <song-verdict>: what the model says of a song, how sure it is and what that means, and reasons to doubt it.

import { clock, counted, dot, make, percent, tinted } from "./dom.js";
import { genreText, kindOf, progressText, reasons } from "./song_facts.js";

const NEXT = 2;

export class SongVerdict extends HTMLElement {
  start() {
    this.genre = make("p", { className: "genre-name" });
    this.number = make("p", { className: "confidence" });
    this.meaning = make("p", { className: "small soft" });
    this.next = make("ul", { className: "next" });
    this.remarks = make("ul", { className: "remarks" });
    this.measured = make("p", { className: "small soft measured" });
    this.append(make("h3", { className: "sr-only", textContent: "Verdict" }), this.genre, this.number, this.meaning, this.next, this.remarks, this.measured);
  }

  show(song, model, colours) {
    const kind = kindOf(song), { result } = song, genre = result && kind === "genre" ? colours.get(result.genre) : null;
    this.dataset.kind = kind;
    this.#fill(this.genre, [...(genre ? [dot(genre)] : []), headline(song, kind)]);
    this.#fill(this.number, [confidenceText(song, kind)]);
    this.#fill(this.meaning, [meaning(song, model, kind)]);
    this.next.replaceChildren(...(result && kind !== "silence" ? scoreRows(song, model, colours, kind) : []));
    this.remarks.replaceChildren(...remarksOf(song, model).map((textContent) => make("li", { textContent })));
    this.#fill(this.measured, [result ? measuredText(model) : ""]);
  }

  #fill(element, parts) {
    element.replaceChildren(...parts);
    element.hidden = !parts.some((part) => part instanceof Element || part);
  }
}

function headline(song, kind) {
  if (kind === "failed") return "No answer";
  if (kind === "waiting" || kind === "working") return "\u2026";
  if (kind === "unknown") return "None of its genres";
  return kind === "silence" ? "Silence" : song.result.genre;
}

function confidenceText(song, kind) {
  if (kind === "failed") return song.error;
  if (kind === "waiting" || kind === "working") return progressText(song);
  if (kind === "silence") return "";
  return kind === "unknown" ? `nearest: ${song.result.genre}, ${percent(song.result.confidence)}` : `${percent(song.result.confidence)} confidence`;
}

// What the number means, in a sentence.
function meaning(song, model, kind) {
  const { result } = song;
  if (kind === "failed" || !result) return "";
  if (kind === "silence") return "Nothing in this file is louder than \u221260 dB of full scale.";
  if (kind === "unknown") return "The song is unlike the music that the model was trained on, so its genre is probably not on the model\u2019s list.";
  const loud = song.windows.filter(({ silent }) => !silent).length, over = `over ${counted(loud, "window", "windows")} of the song`;
  return model?.exclusive === false ? `The mean score ${over}. Each genre is scored by itself.` : `The mean score ${over}. All ${model?.labels.length ?? ""} genres share 100 %.`;
}

// Scores as bars: of an answer the two next ones, where songs may have several labels those above their thresholds first.
function scoreRows({ result }, model, colours, kind) {
  const isMarked = (name) => model?.exclusive === false && result.labels.includes(name);
  const all = Object.entries(result.scores), first = kind === "unknown" ? 0 : 1;
  const listed = all.filter(([name], place) => (place >= first && place < first + NEXT + (1 - first)) || (place && isMarked(name)));
  return [...(kind === "unknown" ? [] : all.slice(0, 1)), ...listed].map(([name, score]) => scoreRow(name, score, colours, isMarked(name)));
}

function scoreRow(name, score, colours, isMarked) {
  const genre = colours.get(name) ?? { name, light: "", dark: "" };
  const bar = make("span", { className: "bar", ariaHidden: "true" }, [tinted(make("i"), genre)]);
  bar.firstChild.style.width = `${100 * score}%`;
  const label = make("span", { className: "label" }, [dot(genre), name]);
  if (isMarked) label.append(make("span", { className: "soft small", textContent: " above its threshold" }));
  return make("li", {}, [label, bar, make("span", { className: "number", textContent: percent(score) })]);
}

// Reasons to doubt, and where the genre changes.
function remarksOf(song, model) {
  const { result } = song, found = reasons(song, model).map(sentence);
  if (!result) return found;
  const changes = (result.segments ?? []).slice(1);
  if (changes.length && kindOf(song) === "genre") found.push(changesText(changes));
  if (song.corrected) found.unshift(`You corrected the genre to ${genreText(song)}.`);
  return found;
}

function changesText(changes) {
  const shown = changes.slice(0, 3).map(({ start, genre }) => `to ${genre} at ${clock(start)}`).join(", ");
  const more = changes.length - 3;
  return `Changes ${shown}${more > 0 ? ` and ${counted(more, "more time", "more times")}` : ""}.`;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

function measuredText(model) {
  return model?.measured ? `On test music: ${model.measured[0].toLowerCase()}${model.measured.slice(1)}` : "Nobody measured on test music how often this model is right.";
}

// The verdict as one sentence, for who listens to the page.
export function spoken(song) {
  const kind = kindOf(song), { result } = song;
  if (kind === "failed") return `${song.name}: ${song.error}`;
  if (kind === "silence") return `${song.name}: silence`;
  if (kind === "unknown") return `${song.name}: probably none of the model's genres; nearest is ${result.genre}`;
  return `${song.name}: ${result.genre}, ${percent(result.confidence)} confidence`;
}

customElements.define("song-verdict", SongVerdict);
