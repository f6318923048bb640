// The names of the genres over the timeline, each where its genre wins, and which colour the song has at a time.

import { make } from "./dom.js";

const PAD = 8; // CSS pixels around a name that does not touch its neighbours

export class StretchNames {
  constructor() {
    this.element = make("div", { className: "names", ariaHidden: "true" });
    Object.assign(this, { stretches: [], spans: [], texts: "" });
  }

  // `stretches` as {start, end, label}, in order; label -1 is silence.
  take(stretches, { labels, isUnknown }) {
    this.stretches = stretches;
    const names = stretches.map(({ label }) => (label < 0 ? "silence" : isUnknown ? `${labels[label]}?` : labels[label]));
    if (names.join("\n") === this.texts) return;
    this.texts = names.join("\n");
    this.spans = names.map((textContent, place) => make("span", { textContent, className: stretches[place].label < 0 ? "soft" : "" }));
    this.widths = this.spans.map(() => 0);
    this.element.replaceChildren(...this.spans);
  }

  // A function that gives the colour at a time; times are asked from left to right.
  colourAt(colours) {
    let place = 0;
    return (time) => {
      if (place && this.stretches[place]?.start > time) place = 0;
      while (place + 1 < this.stretches.length && this.stretches[place].end <= time) place++;
      const found = this.stretches[place];
      return found && found.label >= 0 && time >= found.start ? colours[found.label] : undefined;
    };
  }

  // Put each name into its band, in the middle of what is in sight of its stretch; where it does not fit it is away.
  place(axis, bands, order, until) {
    for (const [place, { start, end, label }] of this.stretches.entries()) {
      const from = Math.max(0, axis.x(start)), to = Math.min(axis.width, axis.x(Math.min(end, until))), span = this.spans[place];
      this.widths[place] ||= span.offsetWidth;
      const isAway = to - from < this.widths[place] + PAD;
      span.classList.toggle("away", isAway);
      if (isAway) continue;
      const half = this.widths[place] / 2 + PAD / 2, stack = order.indexOf(label);
      const x = label < 0 ? (from + to) / 2 : thickest(bands, stack, from + half, to - half), y = label < 0 ? 0.5 : middleOf(bands, stack, x);
      span.style.transform = `translate(${x - this.widths[place] / 2}px, calc(${(1 - y) * this.element.clientHeight}px - 50%))`;
    }
  }
}

// Where a band is thickest between two places; around the middle where that is nearly as thick.
function thickest({ edges, rows, columns, step }, place, from, to) {
  const middle = (from + to) / 2, reach = (to - from) / 2 || 1;
  let best = middle, most = -1;
  for (let column = Math.ceil(from / step); column <= Math.min(columns - 1, to / step); column++) {
    const tall = edges[column * rows + place + 1] - edges[column * rows + place];
    const worth = tall * (1 - 0.3 * Math.abs((column * step - middle) / reach));
    if (worth > most) [most, best] = [worth, column * step];
  }
  return best;
}

function middleOf({ edges, rows, columns, step }, place, x) {
  const column = Math.min(columns - 1, Math.max(0, Math.round(x / step)));
  return columns > 0 ? (edges[column * rows + place] + edges[column * rows + place + 1]) / 2 : 0.5;
}
