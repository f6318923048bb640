// Which songs the table lists and in what order: filters by text, genre, sort of answer and confidence.

import { isOver } from "./session.js";
import { confidenceOf, doubt, genreOf, genreText, kindOf, reasons } from "./song_facts.js";

const { compare } = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// Each gives a value to sort by, or null for songs that have none yet, which go to the end.
export const ORDERS = {
  doubt: (song) => -doubt(song),
  name: (song) => song.name,
  genre: (song) => genreText(song),
  confidence: (song) => confidenceOf(song),
  added: (song) => song.id,
};

// Sorts of answers that a person can ask for, besides genres.
export const KINDS = {
  unknown: { text: "none of these", has: (song) => kindOf(song) === "unknown" && !song.corrected },
  silence: { text: "silence", has: (song) => kindOf(song) === "silence" && !song.corrected },
  failed: { text: "failed", has: (song) => kindOf(song) === "failed" },
  corrected: { text: "corrected", has: (song) => Boolean(song.corrected) },
};

export class SongListing {
  constructor() {
    Object.assign(this, { order: "doubt", isDown: false, query: "", most: 1, genres: new Set(), kinds: new Set(), listed: [] });
  }

  get isFiltered() {
    return Boolean(this.query.trim() || this.most < 1 || this.genres.size || this.kinds.size);
  }

  // List songs anew; rows keep their places until this is called.
  list(songs, model) {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    this.listed = songs.filter((song) => this.#passes(song, words, model)).sort(this.#comparison());
    return this.listed;
  }

  #passes(song, words, model) {
    if (this.most < 1 && !(confidenceOf(song) !== null && confidenceOf(song) <= this.most)) return false;
    if (!this.#isOfSort(song)) return false;
    if (!words.length) return true;
    const text = [song.name, genreText(song), song.error ?? "", ...reasons(song, model)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  }

  #isOfSort(song) {
    if (!this.genres.size && !this.kinds.size) return true;
    return this.genres.has(genreOf(song)) || [...this.kinds].some((kind) => KINDS[kind].has(song));
  }

  #comparison() {
    const value = new Map(), turn = this.isDown ? -1 : 1;
    const key = (song) => value.get(song) ?? value.set(song, this.#key(song)).get(song);
    return (one, other) => {
      const [group, first] = key(one), [second, last] = key(other);
      return group - second || turn * compared(first, last) || one.id - other.id;
    };
  }

  // Songs at work come first and those that wait last, each in the order they were added.
  #key(song) {
    if (this.order === "name" || this.order === "added") return [0, ORDERS[this.order](song)];
    if (!isOver(song)) return [kindOf(song) === "working" ? 0 : 3, 0];
    const value = ORDERS[this.order](song);
    return value === null ? [2, 0] : [1, value];
  }
}

function compared(one, other) {
  return typeof one === "string" ? compare(one, other) : one - other;
}

// How many songs have each genre, and each sort of answer: what the filters offer.
export function counts(songs) {
  const genres = new Map(), kinds = new Map();
  for (const song of songs) {
    const genre = genreOf(song);
    if (genre) genres.set(genre, (genres.get(genre) ?? 0) + 1);
    for (const [kind, { has }] of Object.entries(KINDS)) if (has(song)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return { genres: new Map([...genres].sort(([, few], [, many]) => many - few)), kinds };
}
