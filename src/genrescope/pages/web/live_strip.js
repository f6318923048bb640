// <live-strip>: the last ten minutes as a strip of colours: the genre, and how loud it was. A silence is a thin line, and
// without a connection there is nothing. A pointer or the arrow keys read a moment.

import { make, percent, timeOfDay } from "./dom.js";
import { painted } from "./genre_colours.js";
import { GAP, NONE, RECENT, SILENCE } from "./live_record.js";

const SPANS = [60, 120, 300, RECENT], TICKS = { 60: 15, 120: 30, 300: 60, 600: 120 }; // seconds: in sight, and between times
const QUIET = -48, LEAST = 0.14; // dB of full scale at the least height; that height, as a share
const STEP = 5; // seconds of an arrow key
const NAMES = 18, TIMES = 18; // CSS pixels below the bars

export class LiveStrip extends HTMLElement {
  connectedCallback() {
    if (this.canvas) return;
    this.canvas = make("canvas", { ariaHidden: "true" });
    this.mark = make("i", { className: "mark", hidden: true });
    this.area = make("div", { className: "area", tabIndex: 0, ariaLabel: "The last ten minutes" }, [this.canvas, this.mark]);
    this.area.setAttribute("role", "slider");
    this.reading = make("p", { className: "small reading", ariaHidden: "true" });
    this.append(this.area, this.reading);
    this.area.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.area.addEventListener("pointerdown", (event) => this.#point(event.offsetX));
    this.area.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.#read(null));
    this.area.addEventListener("keydown", (event) => this.#key(event));
    this.area.addEventListener("blur", () => this.#read(null));
    new ResizeObserver(() => this.draw()).observe(this.area);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // `record` is what was played, `colours` are those of the genres by name.
  start(record, colours) {
    Object.assign(this, { record, colours, moment: null });
    this.draw(record.began);
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
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this.canvas);
    pen.scale(scale, scale);
    this.bottom = height - NAMES - TIMES;
    this.inks = { soft: style.color, line: style.borderTopColor, font: `13px ${style.fontFamily}` };
    this.#times(pen, height);
    for (const part of this.record.recent) this.#part(pen, part);
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
      pen.fillText(timeOfDay(at, { seconds: step < 60000 }), x + 5, height - 4);
    }
  }

  // Parts touch, so their edges lie on whole pixels.
  #part(pen, { what, from, until, level, confidence }) {
    const left = Math.floor(this.#x(from)), right = Math.max(left + 1, Math.floor(this.#x(until))), isPlain = what === SILENCE || what === NONE;
    if (right <= 0) return;
    const loud = Math.max(LEAST, Math.min(1, 1 - level / QUIET)), tall = what === SILENCE ? 2 : loud * this.bottom;
    pen.globalAlpha = isPlain ? 0.5 : 0.45 + 0.55 * confidence;
    pen.fillStyle = isPlain ? this.inks.soft : painted(this.colours.get(what));
    pen.fillRect(left, this.bottom - tall, right - left, tall);
    pen.globalAlpha = 1;
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
      pen.fillText(what, left + (left ? 3 : 0), this.bottom + NAMES - 4);
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
    return [timeOfDay(moment), part.what === part.top[0]?.[0] ? "" : part.what, scores].filter(Boolean).join("  ");
  }

  #isGap(moment) {
    const { passages } = this.record, place = passages.findLastIndex(({ from }) => from <= moment), { what, until } = passages[place] ?? {};
    return what === GAP && (moment < until || place === passages.length - 1);
  }
}

customElements.define("live-strip", LiveStrip);
