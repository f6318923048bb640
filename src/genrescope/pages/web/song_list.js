// <song-list>: songs as rows, of which only those in sight are elements; keys move, a screen reader reads each row.

import { clock, dot, make, percent } from "./dom.js";

const ROW = 56, SPARE = 6; // CSS pixels of a row; rows beyond those in sight

export class SongList extends HTMLElement {
  start(state) {
    this.state = state;
    this.rows = new Map();
    this.body = make("div", { className: "rows", tabIndex: 0 });
    this.body.setAttribute("role", "listbox");
    this.body.setAttribute("aria-label", this.getAttribute("label"));
    this.space = make("div", { className: "space" });
    this.body.append(this.space);
    this.empty = make("p", { className: "soft empty", hidden: true });
    this.empty.textContent = "No song here. Clear the search or the filters.";
    this.append(this.empty, this.body);
    this.body.addEventListener("scroll", () => this.#ask(), { passive: true });
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => this.#click(event));
    state.addEventListener("change", (event) => this.#changed(event.detail.changed));
    new ResizeObserver(() => this.#ask()).observe(this.body);
    this.#changed(["listed"]);
  }

  get place() {
    return this.state.listed.indexOf(this.state.chosen);
  }

  #changed(changed) {
    const { listed } = this.state;
    this.space.style.height = `${listed.length * ROW}px`;
    this.empty.hidden = listed.length > 0;
    this.body.hidden = listed.length === 0;
    if (changed.some((name) => name !== "chosen")) this.#clear();
    if (changed.includes("chosen") && this.place >= 0) this.#show(this.place);
    this.#draw();
  }

  #clear() {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.body.scrollTop = this.place >= 0 ? Math.max(0, this.place * ROW - ROW) : 0;
  }

  #show(place) {
    const top = place * ROW, { scrollTop, clientHeight } = this.body;
    if (top < scrollTop) this.body.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.body.scrollTop = top + ROW - clientHeight;
  }

  #ask() {
    if (!this.asked) this.asked = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.asked = 0;
    const { listed, chosen } = this.state, { scrollTop, clientHeight } = this.body;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const end = Math.min(listed.length, Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);
    for (const [place, row] of this.rows) {
      if (place < first || place >= end) {
        row.remove();
        this.rows.delete(place);
      }
    }
    for (let place = first; place < end; place++) {
      if (!this.rows.has(place)) this.rows.set(place, this.body.appendChild(this.#row(place)));
      this.rows.get(place).setAttribute("aria-selected", String(listed[place] === chosen));
    }
    const active = this.rows.get(this.place);
    if (active) this.body.setAttribute("aria-activedescendant", active.id);
    else this.body.removeAttribute("aria-activedescendant");
  }

  #row(place) {
    const { songs, listed } = this.state, song = listed[place];
    const second = [songs.artistOf(song), clock(songs.length(song))].filter(Boolean).join(" \u00b7 ");
    const why = this.state.view === "doubtful" || this.state.view === "tags" ? this.#why(song) : "";
    const row = make("div", { className: "row", id: `row-${place}` }, [
      make("span", { className: "title", textContent: songs.title(song) }),
      make("span", { className: "genre" }, [dot(songs.genres[songs.genre[song]]), songs.genreOf(song)]),
      make("span", { className: "second", textContent: why || second }),
      make("span", { className: "sure", textContent: percent(songs.sure(song)) }),
    ]);
    row.setAttribute("role", "option");
    row.setAttribute("aria-posinset", place + 1);
    row.setAttribute("aria-setsize", listed.length);
    row.dataset.place = place;
    row.style.transform = `translateY(${place * ROW}px)`;
    return row;
  }

  #why(song) {
    const { songs, view } = this.state;
    return view === "tags" ? `in the file: ${songs.tagsOf(song)}` : songs.reasons(song).join("; ");
  }

  #choose(place, play = false) {
    const song = this.state.listed[place];
    if (song === undefined) return;
    this.dispatchEvent(new CustomEvent("choose", { detail: { song, play }, bubbles: true }));
  }

  #click(event) {
    const row = event.target.closest(".row");
    if (row) this.#choose(Number(row.dataset.place), true);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { place } = this, last = this.state.listed.length - 1;
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW) - 1);
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + page, PageUp: place - page, Home: 0, End: last };
    if (event.key in to) this.#choose(Math.max(0, Math.min(last, to[event.key])));
    else if (event.key === "Enter") this.#choose(Math.max(0, place), true);
    else return;
    event.preventDefault();
  }
}

customElements.define("song-list", SongList);

