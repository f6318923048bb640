// <live-facts>: the song so far against the whole, and the changes of genre with their times, the newest first.

import { dot, duration, make, percent, timeOfDay } from "./dom.js";
import { headingOf, isBetween } from "./live_record.js";

const ROWS = 100;

export class LiveFacts extends HTMLElement {
  connectedCallback() {
    if (this.changes) return;
    this.song = make("dd");
    this.whole = make("dd");
    this.since = make("dt");
    this.skipped = make("p", { className: "small soft" });
    this.changes = make("ol", { className: "changes", tabIndex: 0, ariaLabel: "Changes" });
    const averages = make("dl", {}, [make("dt", { textContent: "This song" }), this.song, this.since, this.whole]);
    this.append(averages, this.skipped, make("h3", { className: "small soft", textContent: "Changes" }), this.changes);
  }

  start(record, colours) {
    Object.assign(this, { record, colours, items: new Map() });
    this.changes.replaceChildren();
    for (const each of [this.song, this.whole]) each.replaceChildren("\u2026");
    this.since.textContent = `Since ${timeOfDay(record.began, { seconds: false })}`;
    this.skipped.textContent = "";
  }

  // `leftOut` in seconds: sound that the connection was too slow for.
  show(verdict, leftOut) {
    const { skipped, connected } = this.record, { song, whole, time } = verdict, what = headingOf(verdict);
    if (isBetween(what) || !song) this.#average(this.song, null, isBetween(what) ? what : "");
    else this.#average(this.song, song, duration(time - song.start));
    this.#average(this.whole, whole, "");
    this.since.textContent = `Since ${timeOfDay(connected, { seconds: false })}`;
    this.skipped.textContent = [
      skipped ? `${skipped.toLocaleString("en")} windows skipped: the service is busy.` : "",
      leftOut >= 1 ? `${Math.round(leftOut)} s of sound left out: the connection is slow.` : "",
    ].join(" ").trim(); // prettier-ignore
    this.list();
  }

  #average(element, average, note) {
    if (!average) return element.replaceChildren(note || "\u2026");
    const genre = this.colours.get(average.genre);
    const parts = [...(genre ? [dot(genre)] : []), `${average.genre} `, make("span", { className: "number", textContent: percent(average.confidence) })];
    return element.replaceChildren(...parts, make("span", { className: "soft note", textContent: note }));
  }

  list() {
    const shown = this.record.passages.slice(-ROWS).reverse();
    for (const passage of this.items.keys()) if (!shown.includes(passage)) this.#drop(passage);
    for (const passage of [...shown].reverse()) if (!this.items.has(passage)) this.#add(passage);
    for (const passage of shown.slice(0, 2)) this.items.get(passage).lastChild.textContent = duration(passage.seconds);
  }

  #add(passage) {
    const genre = this.colours.get(passage.what);
    const time = make("time", { textContent: timeOfDay(passage.from) });
    const name = make("span", { className: genre ? "" : "soft" }, [...(genre ? [dot(genre)] : []), passage.what]);
    const item = make("li", {}, [time, name, make("span", { className: "number soft" })]);
    this.items.set(passage, item);
    this.changes.prepend(item);
  }

  #drop(passage) {
    this.items.get(passage).remove();
    this.items.delete(passage);
  }
}

customElements.define("live-facts", LiveFacts);
