// <live-strip>: the last ten minutes as a strip of colours. Bars are as tall as the sound was loud, and take the colour of
// the genre once it is known; sound that no verdict came for stays pale. A pointer or the arrow keys read a moment.

import { make, percent, timeOfDay } from "./dom.js";
import { painted } from "./genre_colours.js";
import { GAP, isBetween, RECENT } from "./live_record.js";

const SPANS = [60, 120, 300, RECENT], TICKS = { 60: 15, 120: 30, 300: 60, 600: 120 }; // seconds: in sight, and between times
const QUIET = -54, LEAST = 2; // dB of full scale at the least height; that height, in CSS pixels
const APART = 3, SHORTEST = 150, THICK = 2 / 3; // from one bar to the next in CSS pixels, and at least in milliseconds; a bar in it
const STEP = 5; // seconds of an arrow key
const SMALL = 0.8125, LINE = 1.4; // of the page's letters; of these, from line to line

export class LiveStrip extends HTMLElement {
  connectedCallback() {
    if (this.canvas) return;
    this.canvas = make("canvas", { ariaHidden: "true" });
    this.mark = make("i", { className: "mark", hidden: true });
    this.area = make("div", { className: "area", tabIndex: 0, ariaLabel: "The last ten minutes" }, [this.canvas, this.mark]);
    this.area.setAttribute("role", "slider");
    this.reading = make("p", { className: "reading", ariaHidden: "true" });
    this.append(this.area, this.reading);
    this.area.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.area.addEventListener("pointerdown", (event) => this.#point(event.offsetX));
    this.area.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.#read(null));
    this.area.addEventListener("keydown", (event) => this.#key(event));
    this.area.addEventListener("blur", () => this.#read(null));
    new ResizeObserver(() => this.draw()).observe(this.area);
    this.isStill = matchMedia("(prefers-reduced-motion: reduce)");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // `record` is what was played, `colours` are those of the genres by name.
  start(record, colours) {
    Object.assign(this, { record, colours, moment: null });
    this.draw(record.began);
  }

  // New sound has come: draw it in the next picture, where motion is wanted.
  move() {
    if (this.isStill.matches) return;
    this.waiting ??= requestAnimationFrame(() => ((this.waiting = null), this.draw(Date.now())));
  }

  draw(now = this.now) {
    const { clientWidth: width, clientHeight: height } = this.area;
    if (!this.record || !width) return;
    Object.assign(this, { now, width });
    const elapsed = (now - this.record.began) / 1000;
    this.span = SPANS.find((each) => elapsed <= each) ?? RECENT;
    this.from = Math.max(this.record.began, now - 1000 * this.span);
    const scale = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this.canvas), size = SMALL * parseFloat(style.fontSize);
    pen.scale(scale, scale);
    this.line = LINE * size;
    this.bottom = Math.round(height - 2 * this.line);
    this.inks = { soft: style.color, line: style.borderTopColor, font: `${size}px ${style.fontFamily}` };
    this.#times(pen, height);
    this.#bars(pen);
    this.#names(pen);
    this.#read(this.moment);
  }

  #x(moment) {
    return ((moment - this.from) / 1000 / this.span) * this.width;
  }

  #times(pen, height) {
    const step = 1000 * TICKS[this.span], zone = new Date(this.from).getTimezoneOffset() * 60000;
    Object.assign(pen, { fillStyle: this.inks.line, font: this.inks.font, textAlign: "left", textBaseline: "alphabetic" });
    pen.fillRect(0, this.bottom - 1, this.width, 1);
    for (let at = Math.ceil((this.from - zone) / step) * step + zone; this.#x(at) < this.width; at += step) {
      const x = this.#x(at);
      Object.assign(pen, { fillStyle: this.inks.line });
      pen.fillRect(x, this.bottom, 1, height - this.bottom);
      Object.assign(pen, { fillStyle: this.inks.soft });
      const text = timeOfDay(at, { seconds: step < 60000 });
      if (x + 5 + pen.measureText(text).width < this.width) pen.fillText(text, x + 5, height - 4);
    }
  }

  // Bars stand for stretches of time that stay the same while they move to the left.
  #bars(pen) {
    const scale = (1000 * this.span) / this.width, stretch = Math.max(SHORTEST, scale * APART), wide = (THICK * stretch) / scale, { levels, recent } = this.record;
    let place = 0, part = 0;
    while (place < levels.length && levels[place].moment < this.from) place++;
    for (let bar = Math.floor(this.from / stretch); bar * stretch < this.now && place < levels.length; bar++) {
      const end = (bar + 1) * stretch, middle = end - stretch / 2;
      let loud = -1;
      for (; place < levels.length && levels[place].moment < end; place++) loud = Math.max(loud, levels[place].level);
      while (part < recent.length && recent[part].until <= middle) part++;
      if (loud >= 0) this.#bar(pen, this.#x(end) - wide, wide, loud, recent[part]?.from <= middle ? recent[part] : null);
    }
    pen.globalAlpha = 1;
  }

  #bar(pen, x, wide, loud, part) {
    const tall = Math.max(LEAST, (1 - (20 * Math.log10(loud + 1e-6)) / QUIET) * this.bottom), genre = this.colours.get(part?.what);
    pen.globalAlpha = genre ? 0.4 + 0.6 * part.confidence : part ? 0.5 : 1;
    pen.fillStyle = genre ? painted(genre) : part ? this.inks.soft : this.inks.line;
    pen.fillRect(x, this.bottom - Math.min(tall, this.bottom), wide, Math.min(tall, this.bottom));
  }

  // Each passage's name where it begins, as far as there is room.
  #names(pen) {
    let free = 0;
    Object.assign(pen, { fillStyle: this.inks.soft, font: this.inks.font, textAlign: "left" });
    const passages = this.record.passages.slice(-100), last = passages.at(-1);
    for (const { what, from, until } of passages) {
      const left = Math.max(0, this.#x(from)), right = until === last.until ? this.width : this.#x(until);
      const wide = pen.measureText(what).width;
      if (left < free || right < 0 || left + wide > right) continue;
      pen.fillText(what, left + (left ? 3 : 0), this.bottom + this.line - 4);
      free = left + wide + 8;
    }
  }

  #point(x) {
    if (this.width) this.#read(this.from + (x / this.width) * this.span * 1000);
  }

  #key(event) {
    const { key } = event, step = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP }[key];
    if (key === "Escape" && this.moment !== null) this.#read(null);
    else if (step) this.#read(Math.max(this.from, Math.min(this.now, (this.moment ?? this.now) + 1000 * step)));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Show what was played at a moment, or nothing.
  #read(moment) {
    this.moment = moment;
    const text = moment === null ? "" : this.#text(moment), since = (moment ?? this.now) - this.now;
    this.mark.hidden = moment === null;
    if (moment !== null) this.mark.style.transform = `translateX(${Math.round(this.#x(moment))}px)`;
    this.reading.textContent = text;
    Object.assign(this.area, { ariaValueMin: -RECENT, ariaValueMax: 0, ariaValueNow: Math.round(since / 1000), ariaValueText: text || "now" });
  }

  #text(moment) {
    const part = this.record.recent.find(({ from, until }) => moment >= from && moment < until);
    if (!part) return `${timeOfDay(moment)}${this.#isGap(moment) ? `  ${GAP}` : ""}`;
    const scores = part.top.map(([name, score]) => `${name} ${percent(score)}`).join(", ");
    return [timeOfDay(moment), part.what === part.top[0]?.[0] ? "" : part.what, isBetween(part.what) ? "" : scores].filter(Boolean).join("  ");
  }

  #isGap(moment) {
    const { passages } = this.record, place = passages.findLastIndex(({ from }) => from <= moment), { what, until } = passages[place] ?? {};
    return what === GAP && (moment < until || place === passages.length - 1);
  }
}

customElements.define("live-strip", LiveStrip);
