// <song-table>: the queue and the results. Only rows in sight are elements, so that thousands of songs stay quick.

import "./correction_bar.js";
import "./table_tools.js";
import { counted, make } from "./dom.js";
import { coloursOf } from "./genre_colours.js";
import { isOver } from "./session.js";
import { SongListing } from "./song_listing.js";
import { SongRow } from "./song_row.js";

const SPARE = 4, PAUSE = 250; // rows beyond those in sight; milliseconds between two new orders
const COLUMNS = [
  ["Song", "name"], ["Genre", "genre"], ["Confidence", "confidence"], ["Timeline", null], ["Worth a second look", "doubt"],
];

export class SongTable extends HTMLElement {
  #rows = new Map();
  #changed = new Set();

  set session(session) {
    this.songs = session;
    this.listing = new SongListing();
    this.#build();
    const on = (name, does) => session.addEventListener(name, ({ detail }) => does(detail));
    on("model", () => this.#renew());
    on("added", () => this.relist());
    on("removed", (song) => (this.#drop(song), this.relist()));
    on("chosen", () => this.#choose());
    on("changed", (song) => this.#follow(song));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#renew());
    this.#renew();
  }

  get session() {
    return this.songs;
  }

  #build() {
    this.tools = make("table-tools");
    this.bar = make("correction-bar");
    this.space = make("div", { className: "space" });
    this.space.setAttribute("role", "rowgroup");
    this.empty = make("p", { className: "soft none-here", textContent: "No song here. Clear the search or the filters.", hidden: true });
    this.grid = make("div", { className: "grid", tabIndex: 0 }, [this.#head(), this.space]);
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", "Songs");
    this.replaceChildren(this.tools, this.grid, this.empty, this.bar);
    this.grid.addEventListener("scroll", () => this.#ask(), { passive: true });
    this.space.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.#ask()).observe(this.grid);
    this.tools.start(this);
    this.bar.start(this.songs);
  }

  #head() {
    this.heads = COLUMNS.map(([text, order]) => {
      const inside = order ? make("button", { type: "button", textContent: text, onclick: () => this.sort(order) }) : text;
      const head = make("div", {}, [inside]);
      head.setAttribute("role", "columnheader");
      head.dataset.order = order ?? "";
      return head;
    });
    const row = make("div", { className: "head" }, this.heads);
    row.setAttribute("role", "row");
    const group = make("div", { className: "heads" }, [row]);
    group.setAttribute("role", "rowgroup");
    return group;
  }

  sort(order) {
    const { listing } = this;
    listing.isDown = listing.order === order && !listing.isDown;
    listing.order = order;
    this.relist({ toTop: true });
    this.tools.show();
  }

  // Colours and labels have changed: all rows are made anew.
  #renew() {
    this.look = { model: this.songs.model, colours: coloursOf(this.songs.model) };
    for (const row of this.#rows.values()) row.element.remove();
    this.#rows.clear();
    this.relist();
  }

  // List anew what the filters let through. The chosen row, or else the first in sight, stays where it is.
  relist({ toTop = false } = {}) {
    this.relisted = performance.now();
    const anchor = toTop ? null : this.#anchor();
    const listed = this.listing.list(this.songs.songs, this.songs.model);
    this.places = new Map(listed.map((song, place) => [song, place]));
    const tall = this.#tall;
    this.space.style.height = `${listed.length * tall}px`;
    this.empty.hidden = listed.length > 0 || !this.songs.songs.length;
    this.grid.setAttribute("aria-rowcount", listed.length + 1);
    if (anchor && this.places.has(anchor.song)) this.grid.scrollTop = this.places.get(anchor.song) * tall - anchor.above;
    else if (toTop) this.grid.scrollTop = 0;
    for (const head of this.heads) this.#showOrder(head);
    this.tools.count();
    this.#draw();
  }

  #showOrder(head) {
    const { order, isDown } = this.listing, isMostFirst = isDown !== (order === "doubt");
    if (head.dataset.order === order) head.setAttribute("aria-sort", isMostFirst ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }

  #anchor() {
    const { scrollTop, clientHeight } = this.grid, tall = this.#tall, { listed } = this.listing;
    const above = (place) => place * tall - scrollTop;
    const isInSight = (place) => place !== undefined && above(place) >= 0 && above(place) < clientHeight;
    const chosen = this.places?.get(this.songs.chosen), first = Math.ceil(scrollTop / tall);
    const place = scrollTop === 0 ? undefined : isInSight(chosen) ? chosen : first;
    return place === undefined || !listed[place] ? null : { song: listed[place], above: above(place) };
  }

  get #tall() {
    return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || 48;
  }

  #drop(song) {
    this.#rows.get(song)?.element.remove();
    this.#rows.delete(song);
  }

  // A song that is done takes its place in the order, at most a few times a second; other news only fills its row.
  #follow(song) {
    this.#changed.add(song);
    this.#ask();
    if (!isOver(song) || song.corrected || this.waiting) return;
    this.waiting = setTimeout(() => ((this.waiting = 0), this.relist()), Math.max(0, PAUSE + this.relisted - performance.now()));
  }

  #ask() {
    this.asked ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.asked = 0;
    const { listed } = this.listing, tall = this.#tall, { scrollTop, clientHeight } = this.grid;
    const first = Math.max(0, Math.floor(scrollTop / tall) - SPARE);
    const seen = new Set(listed.slice(first, Math.ceil((scrollTop + clientHeight) / tall) + SPARE));
    for (const song of this.#rows.keys()) if (!seen.has(song)) this.#drop(song);
    let place = first;
    for (const song of seen) this.#place(song, place++, tall);
    for (const song of this.#changed) this.#rows.get(song)?.fill();
    for (const [song, row] of this.#rows) this.#paint(song, row);
    this.#changed.clear();
    this.#showActive();
  }

  #place(song, place, tall) {
    const row = this.#rows.get(song) ?? new SongRow(song, this.look);
    if (!this.#rows.has(song)) this.space.append(row.element);
    this.#rows.set(song, row);
    row.element.setAttribute("aria-rowindex", place + 2);
    row.element.style.transform = `translateY(${place * tall}px)`;
    row.element.setAttribute("aria-selected", String(song === this.songs.chosen));
  }

  // A strip is drawn again only where something is new.
  #paint(song, row) {
    const { clientWidth } = row.strip, news = `${clientWidth} ${song.windows.length} ${song.state}`;
    if (row.painted === news || !clientWidth) return;
    row.painted = news;
    row.draw();
  }

  #showActive() {
    const row = this.#rows.get(this.songs.chosen);
    if (row) this.grid.setAttribute("aria-activedescendant", row.element.id);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  #click(event) {
    const row = event.target.closest(".song-row");
    const song = row && this.songs.songs.find(({ id }) => id === Number(row.dataset.song));
    if (song === this.songs.chosen) this.dispatchEvent(new CustomEvent("open", { bubbles: true }));
    else if (song) this.songs.choose(song);
  }

  #choose() {
    const place = this.places.get(this.songs.chosen), tall = this.#tall;
    if (place !== undefined) this.#scrollTo(place * tall, tall);
    this.#ask();
  }

  #scrollTo(top, tall) {
    const head = this.heads[0].offsetHeight, { scrollTop, clientHeight } = this.grid;
    if (top < scrollTop) this.grid.scrollTop = top;
    else if (top + tall + head > scrollTop + clientHeight) this.grid.scrollTop = top + tall + head - clientHeight;
  }

  // Choose the song some rows away in the order that is shown, and bring it into sight.
  step(rows) {
    const { listed } = this.listing, place = this.places.get(this.songs.chosen) ?? -1;
    const song = listed[Math.max(0, Math.min(listed.length - 1, place + rows))];
    if (!song) return;
    this.songs.choose(song);
    this.grid.focus({ preventScroll: true });
    this.#draw();
    this.#rows.get(song)?.element.scrollIntoView({ block: "nearest" });
  }

  get page() {
    return Math.max(1, Math.floor(this.grid.clientHeight / this.#tall) - 2);
  }

  // What is listed, in words: for the line above and the live region.
  get summary() {
    const { songs } = this.songs, { listed } = this.listing;
    const all = counted(songs.length, "song", "songs");
    return this.listing.isFiltered ? `${listed.length.toLocaleString("en")} of ${all}` : all;
  }
}

customElements.define("song-table", SongTable);
