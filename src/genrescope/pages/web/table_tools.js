// <table-tools>: above the table. Progress, search, filters, order, downloads, and the way back from a removal.

import { counted, dot, make, percent } from "./dom.js";
import { coloursOf } from "./genre_colours.js";
import { save } from "./playlist.js";
import { QueueProgress } from "./queue_progress.js";
import { KINDS, counts } from "./song_listing.js";
import { titleOf } from "./song_facts.js";
import { correctionsCsv, predictionsCsv } from "./table_files.js";

const TICK = 500; // milliseconds between two looks at the queue
const FEW = 4; // songs that need no filters
const ORDERS = { doubt: "doubt", name: "name", genre: "genre", confidence: "confidence", added: "order of adding" };

const button = (textContent, onclick, fields = {}) => make("button", { type: "button", textContent, onclick, ...fields });

export class TableTools extends HTMLElement {
  start(table) {
    Object.assign(this, { table, listing: table.listing, session: table.session, queue: new QueueProgress() });
    this.#build();
    this.session.addEventListener("removed", ({ detail }) => this.#removed(detail));
    this.session.addEventListener("added", () => this.#showUndo(false));
    this.session.addEventListener("corrected", () => this.count());
    for (const name of ["added", "changed", "removed"]) this.session.addEventListener(name, () => this.#ask());
  }

  #build() {
    this.progress = make("progress", { max: 1, hidden: true, ariaLabel: "Queue" });
    this.summary = make("span", { className: "summary" });
    this.left = make("span", { className: "soft" });
    this.predictions = button("Download CSV", () => this.#download(predictionsCsv, "predictions.csv"));
    this.corrections = button("Download corrections", () => this.#saveCorrections());
    this.undo = button("Undo", () => this.session.restore());
    this.gone = make("p", { className: "gone small", hidden: true }, [make("span"), " ", this.undo]);
    this.chips = make("div", { className: "chips" });
    this.chips.setAttribute("role", "group");
    this.chips.setAttribute("aria-label", "Show only");
    const files = make("span", { className: "files" }, [this.predictions, this.corrections]);
    this.filters = make("div", { className: "line filters" }, [this.#search(), ...this.#most(), ...this.#order()]);
    const line = make("div", { className: "line" }, [this.summary, this.left, this.progress, files]);
    this.append(line, this.filters, this.chips, this.gone);
  }

  #search() {
    const set = () => this.#filter({ query: this.query.value });
    this.query = make("input", { type: "search", placeholder: "Search songs", ariaLabel: "Search songs", oninput: set });
    this.query.autocomplete = "off";
    return this.query;
  }

  #most() {
    const shown = make("output", { textContent: "100 %" });
    const set = () => (this.#filter({ most: range.value / 100 }), (shown.textContent = percent(range.value / 100)));
    const range = make("input", { type: "range", min: 0, max: 100, value: 100, oninput: set });
    return [make("label", { className: "most" }, ["Confidence up to ", range]), shown];
  }

  #order() {
    const options = Object.entries(ORDERS).map(([value, textContent]) => make("option", { value, textContent }));
    this.orders = make("select", { onchange: () => this.table.sort(this.orders.value) }, options);
    return [make("label", { className: "order" }, ["Sorted by ", this.orders])];
  }

  #filter(fields) {
    Object.assign(this.listing, fields);
    this.table.relist({ toTop: true });
  }

  show() {
    this.orders.value = this.listing.order;
  }

  // What the list holds now: the line above it, and a filter for each genre and sort of answer in it.
  count() {
    const { songs } = this.session, { genres, kinds } = counts(songs);
    this.summary.textContent = this.table.summary;
    this.corrections.disabled = !kinds.get("corrected");
    this.predictions.disabled = !songs.some((song) => song.result);
    const colours = coloursOf(this.session.model);
    const chips = [
      ...[...genres].map(([name, count]) => this.#chip("genres", name, count, colours.get(name))),
      ...[...kinds].map(([name, count]) => this.#chip("kinds", name, count, null)),
    ];
    this.chips.hidden = this.filters.hidden = songs.length < FEW;
    const held = this.chips.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.chips.replaceChildren(...chips);
    if (held) chips.find((chip) => chip.dataset.name === held)?.focus();
  }

  #chip(sort, name, count, genre) {
    const set = this.listing[sort], text = sort === "kinds" ? KINDS[name].text : name;
    const toggle = () => (set.delete(name) || set.add(name), this.table.relist({ toTop: true }));
    const number = make("span", { className: "soft", textContent: count.toLocaleString("en") });
    const chip = make("button", { type: "button", onclick: toggle }, [...(genre ? [dot(genre)] : []), text, number]);
    chip.setAttribute("aria-pressed", String(set.has(name)));
    chip.dataset.name = `${sort} ${name}`;
    return chip;
  }

  #ask() {
    this.timer ||= setTimeout(() => this.#tick(), TICK);
  }

  // The time left is said twice a second, whatever else happens.
  #tick() {
    this.timer = 0;
    const { share, text, done } = this.queue.of(this.session.songs);
    this.left.textContent = text;
    this.progress.hidden = !text;
    this.progress.value = share;
    if (text) this.#ask();
    else if (this.wasBusy) this.#say(this.#finished());
    this.wasBusy = Boolean(text) && done >= 0;
  }

  #finished() {
    const failed = this.session.songs.filter((song) => song.state === "failed").length;
    return `${counted(this.session.songs.length, "song", "songs")} done${failed ? `, ${failed} of them failed` : ""}.`;
  }

  #removed(song) {
    this.gone.firstChild.textContent = `${titleOf(song)} was removed.`;
    this.#showUndo(true);
    this.#say(`${titleOf(song)} was removed. Control Z brings it back.`);
  }

  #showUndo(is) {
    this.gone.hidden = !is;
  }

  #download(make, name) {
    save(new Blob([make(this.session.songs, this.session.model)], { type: "text/csv" }), name);
  }

  #saveCorrections() {
    this.#download(correctionsCsv, "corrections.csv");
    this.session.saved();
  }

  #say(sentence) {
    this.dispatchEvent(new CustomEvent("say", { detail: sentence, bubbles: true }));
  }
}

customElements.define("table-tools", TableTools);
