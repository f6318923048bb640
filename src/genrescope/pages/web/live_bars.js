// <live-bars>: the highest scores as bars that grow, shrink and pass one another.

import { dot, make, percent, tinted } from "./dom.js";
import { highest } from "./live_record.js";

const ROWS = 4;

export class LiveBars extends HTMLElement {
  connectedCallback() {
    if (this.words) return;
    this.words = make("p", { className: "sr-only" });
    this.race = make("div", { className: "race", ariaHidden: "true" });
    this.append(this.words, this.race);
  }

  start(colours) {
    Object.assign(this, { colours, rows: new Map() });
    this.race.replaceChildren();
    this.show({});
  }

  show(scores) {
    const best = highest(scores, ROWS);
    for (const [name] of best) if (!this.rows.has(name)) this.#add(name);
    for (const [name, { row, bar, number }] of this.rows) {
      const rank = best.findIndex(([each]) => each === name);
      row.classList.toggle("away", rank < 0);
      row.style.setProperty("--rank", rank < 0 ? ROWS : rank);
      bar.style.width = `${100 * (scores[name] ?? 0)}%`;
      if (rank >= 0) number.textContent = percent(best[rank][1]);
    }
    this.words.textContent = best.map(([name, score]) => `${name} ${percent(score)}`).join(", ");
  }

  #add(name) {
    const genre = this.colours.get(name) ?? { name, light: "", dark: "" };
    const bar = tinted(make("i"), genre), number = make("span", { className: "number" });
    const label = make("span", { className: "label" }, [dot(genre), name]);
    const row = make("div", { className: "row-of away" }, [label, make("span", { className: "bar" }, [bar]), number]);
    row.style.setProperty("--rank", ROWS);
    this.rows.set(name, { row, bar, number });
    this.race.append(row);
    row.getBoundingClientRect(); // so that it comes in from below
  }
}

customElements.define("live-bars", LiveBars);
