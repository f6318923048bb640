// <song-verdict>: what the model says of a song, how sure it is and what that means, and reasons to doubt it.

import { clock, counted, dot, make, percent, sentence, tinted } from "./dom.js";
import { genreText, kindOf, progressText, reasons } from "./song_facts.js";

const NEXT = 2;

export class SongVerdict extends HTMLElement {
  start() {
    this.genre = make("p", { className: "genre-name" });
    this.number = make("p", { className: "confidence" });
    this.meaning = make("p", { className: "small soft" });
    this.progress = make("p", { className: "bar progress", ariaHidden: "true" }, [make("i")]);
    this.next = make("ul", { className: "next" });
    this.remarks = make("ul", { className: "remarks" });
    this.append(make("h3", { className: "sr-only", textContent: "Verdict" }), this.genre, this.number, this.progress, this.meaning, this.next, this.remarks);
  }

  // `leading` are the best labels so far with their mean scores, for a song that is not done.
  show(song, model, { colours, leading }) {
    const kind = kindOf(song), best = song.result ? song.result.genre : leading[0]?.[0];
    const genre = NAMED.has(kind) ? colours.get(best) : null;
    this.dataset.kind = kind;
    this.#fill(this.genre, [...(genre ? [dot(genre)] : []), HEADLINES[kind] ?? best ?? "\u2026"]);
    this.#fill(this.number, [confidenceText(song, kind)]);
    this.#fill(this.meaning, [meaning(song, model, kind)]);
    const share = song.progress.total ? song.progress.done / song.progress.total : 0;
    this.progress.firstChild.style.width = `${100 * share}%`;
    this.progress.hidden = kind !== "waiting" && kind !== "working";
    this.#fillScores(kind === "silence" ? [] : scoresOf(song, model, leading), colours, song.result?.labels ?? []);
    this.remarks.replaceChildren(...remarksOf(song, model).map(([textContent, className]) => make("li", { textContent, className })));
  }

  #fill(element, parts) {
    element.replaceChildren(...parts);
    element.hidden = !parts.some((part) => part instanceof Element || part);
  }

  // Rows keep their places while scores come: only names, colours and lengths change.
  #fillScores(scores, colours, marked) {
    while (this.next.children.length > scores.length) this.next.lastChild.remove();
    while (this.next.children.length < scores.length) this.next.append(scoreRow());
    for (const [place, [name, score]] of scores.entries()) {
      const [label, bar, number] = this.next.children[place].children, genre = colours.get(name) ?? { name, light: "", dark: "" };
      label.replaceChildren(dot(genre), name, make("span", { className: "soft small", textContent: marked.includes(name) ? " above its threshold" : "" }));
      tinted(bar.firstChild, genre).style.width = `${100 * score}%`;
      number.textContent = percent(score);
    }
  }
}

const NAMED = new Set(["genre", "working", "waiting"]);
const HEADLINES = { failed: "No answer", unknown: "None of its genres", silence: "Silence" };

function confidenceText(song, kind) {
  if (kind === "failed") return song.error;
  if (kind === "waiting" || kind === "working") return song.windows.length ? `so far: ${progressText(song)}` : progressText(song);
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

// Scores that are shown: the answer and the two next ones; where songs may have several labels, all above their thresholds.
function scoresOf({ result }, model, leading) {
  const all = result ? Object.entries(result.scores) : leading;
  const isMarked = ([name]) => model?.exclusive === false && result?.labels.includes(name);
  return all.filter((pair, place) => place <= NEXT || isMarked(pair));
}

function scoreRow() {
  const bar = make("span", { className: "bar", ariaHidden: "true" }, [make("i")]);
  return make("li", {}, [make("span", { className: "label" }), bar, make("span", { className: "number" })]);
}

// Reasons to doubt, and where the genre changes.
function remarksOf(song, model) {
  const { result } = song, found = reasons(song, model).map((text) => [sentence(text), "doubt"]);
  if (!result) return found;
  const changes = (result.segments ?? []).slice(1);
  if (changes.length && kindOf(song) === "genre") found.push([changesText(changes), "fact"]);
  if (song.corrected) found.unshift([`You corrected the genre to ${genreText(song)}.`, "fact"]);
  return found;
}

function changesText(changes) {
  const shown = changes.slice(0, 3).map(({ start, genre }) => `to ${genre} at ${clock(start)}`).join(", ");
  const more = changes.length - 3;
  return `Changes ${shown}${more > 0 ? ` and ${counted(more, "more time", "more times")}` : ""}.`;
}

export function measuredText(model) {
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
