// What a person has chosen on the page, and which songs follow from it. Elements read it and listen for "change".

import { DOUBTFUL, DUPLICATE, TAG_DIFFERS } from "./packed.js";

export const FLAG_OF_VIEW = { doubtful: DOUBTFUL, duplicates: DUPLICATE, tags: TAG_DIFFERS };

const by = (value) => (songs) => {
  const keys = new Map();
  const key = (song) => keys.get(song) ?? keys.set(song, value(songs, song)).get(song);
  return (first, second) => (key(first) < key(second) ? -1 : key(first) > key(second) ? 1 : first - second);
};

export const ORDERS = {
  title: by((songs, song) => songs.title(song).toLowerCase()),
  artist: by((songs, song) => `${songs.artistOf(song).toLowerCase() || "\uffff"}\n${songs.title(song).toLowerCase()}`),
  genre: by((songs, song) => `${songs.genreOf(song)}\n${String(10000 - songs.confidence[song]).padStart(5, "0")}`),
  "highest confidence": by((songs, song) => -songs.confidence[song]),
  "lowest confidence": by((songs, song) => songs.confidence[song]),
};

export class State extends EventTarget {
  constructor(songs) {
    super();
    this.songs = songs;
    Object.assign(this, { off: new Set(), least: 0, query: "", view: "all", order: "title", chosen: -1 });
    this.lasso = [];
    this.alike = [];
    this.#follow();
  }

  // Change some fields; `changed` in the event's detail says which.
  change(fields) {
    Object.assign(this, fields);
    if (Object.keys(fields).some((name) => name !== "chosen")) this.#follow();
    this.dispatchEvent(new CustomEvent("change", { detail: { changed: Object.keys(fields) } }));
  }

  isShown(song) {
    return !this.off.has(this.songs.genre[song]) && this.songs.confidence[song] >= this.least * 10000;
  }

  // shown: by genre and confidence; listed: those of the view that match the search, in order; lit: whether the map
  // sets the listed songs apart from the others.
  #follow() {
    const all = Array.from({ length: this.songs.count }, (_, song) => song);
    this.shown = Uint8Array.from(all, (song) => this.isShown(song));
    const matches = this.query.trim() ? this.songs.matcher(this.query) : () => true;
    const listed = this.#ofView(all).filter((song) => this.shown[song] && matches(song));
    const ordered = this.view === "alike" || this.view === "duplicates";
    this.listed = ordered ? listed : listed.sort(ORDERS[this.order](this.songs));
    this.isLit = this.view !== "all" || Boolean(this.query.trim());
    this.lit = new Uint8Array(this.songs.count);
    for (const song of this.listed) this.lit[song] = 1;
  }

  #ofView(all) {
    if (this.view === "lasso") return [...this.lasso];
    if (this.view === "alike") return [...this.alike];
    if (this.view === "all") return all;
    const found = all.filter((song) => this.songs.has(song, FLAG_OF_VIEW[this.view]));
    return this.view === "duplicates" ? found.sort((one, two) => this.songs.copies[one] - this.songs.copies[two]) : found;
  }
}
