// <song-layers>: waveform, genre scores and spectrogram of one song on one axis of time, with a playhead over all.

import { AxisGestures } from "./axis_gestures.js";
import { clock, make } from "./dom.js";
import { drawEvidence } from "./evidence.js";
import { painted, isDark } from "./genre_colours.js";
import { StretchNames } from "./stretch_names.js";
import { ScoreCurve } from "./score_curve.js";
import { DARK, LIGHT, Spectrogram } from "./spectrogram.js";
import { drawTimeline, sampled, Stacking } from "./timeline.js";
import { TimeAxis } from "./time_axis.js";
import { drawWaveform, Peaks } from "./waveform.js";

const SHORT = 3, MOST = 150; // seconds of a stretch that has a name; how many there are at most
const GLIDE = 90; // milliseconds in which what moves goes two thirds of its way

export class SongLayers extends HTMLElement {
  axis = new TimeAxis();
  stacking = new Stacking();
  time = 0;

  // `owner` has seek(time), command(name), moved(time or null) for the pointer.
  start(owner) {
    Object.assign(this, { owner, until: 0, aim: 0, sound: null, peaks: null, spectrogram: null, evidence: null, curve: null });
    this.ruler = make("canvas", { className: "ruler" });
    this.pens = Object.fromEntries(["waveform", "timeline", "spectrogram"].map((name) => [name, make("canvas", { className: name })]));
    this.names = new StretchNames();
    this.hertz = make("div", { className: "hertz", ariaHidden: "true" });
    [this.head, this.ghost, this.looped] = ["head", "ghost", "looped"].map((className) => make("i", { className }));
    const scores = make("div", { className: "layer scores" }, [this.pens.timeline, this.names.element]);
    this.lower = make("div", { className: "layer mel" }, [this.pens.spectrogram, this.hertz]);
    this.area = make("div", { className: "area", tabIndex: 0 }, [
      this.ruler, make("div", { className: "layer wave" }, [this.pens.waveform]), scores, this.lower, this.looped, this.ghost, this.head,
    ]);
    this.area.setAttribute("role", "slider");
    this.area.setAttribute("aria-label", "Position in the song");
    this.append(this.area);
    this.#listen();
  }

  #listen() {
    const inRuler = (event) => event.clientY < this.ruler.getBoundingClientRect().bottom;
    this.gestures = new AxisGestures(this, this.area, inRuler);
    new ResizeObserver(() => (this.axis.resize(this.area.clientWidth), this.redraw())).observe(this.area);
    this.axis.addEventListener("change", () => this.redraw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", (event) => (this.isStill = event.matches));
    this.isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.hover(null);
  }

  seek(time) {
    this.owner.seek(time);
  }

  scrub(isOn) {
    this.isScrubbed = isOn;
  }

  command(name) {
    this.owner.command(name);
  }

  hover(time) {
    this.ghost.hidden = time === null || !this.axis.seconds;
    if (time !== null) this.ghost.style.transform = `translateX(${this.axis.x(time)}px)`;
    this.owner.moved(time);
  }

  // Show another song's layers from the beginning.
  clear({ labels, colours, isExclusive }) {
    Object.assign(this, { labels, colours, isExclusive, until: 0, aim: 0, evidence: null, isOver: false, isUnknown: false });
    this.curve = new ScoreCurve(labels.length);
    this.stacking = new Stacking();
    this.setSound(null);
    this.axis.reset();
    this.setTime(0);
  }

  setSound(sound) {
    this.spectrogram?.close();
    this.sound = sound;
    this.peaks = sound && new Peaks(sound);
    this.spectrogram = sound && new Spectrogram(sound, () => this.redraw());
    if (sound) this.axis.setSeconds(sound.seconds);
    const scale = make("span", { className: "decibels" }, ["\u221280 dB", make("i"), "0 dB"]);
    this.hertz.replaceChildren(...(sound ? [...this.spectrogram.labels.map((hertz) => this.#hertzLabel(hertz)), scale] : []));
    this.redraw();
  }

  #hertzLabel(hertz) {
    const made = make("span", { textContent: hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz` });
    made.style.top = `${100 * this.spectrogram.y(hertz)}%`;
    return made;
  }

  // The song's scores so far.
  setScores({ windows, isOver, isUnknown, seconds }) {
    const isNew = this.curve.take(windows);
    Object.assign(this, { isOver, isUnknown });
    if (seconds) this.axis.setSeconds(seconds);
    if (isNew) this.stacking.take(this.curve.means());
    this.aim = isOver ? Math.max(this.axis.seconds, this.curve.end) : this.curve.end;
    this.names.take(this.curve.stretches(Math.max(SHORT, this.axis.seconds / MOST)), this);
    this.redraw();
  }

  // The best labels so far with their mean scores, the highest first.
  get leading() {
    if (!this.curve?.windows.some(({ silent }) => !silent)) return [];
    const means = this.curve.means();
    return this.labels.map((label, k) => [label, means[k]]).sort(([, one], [, other]) => other - one);
  }

  setTime(time) {
    this.time = time;
    if (!this.isScrubbed) this.axis.follow(time);
    this.#place();
    this.redrawHead();
  }

  #place() {
    const { axis, area } = this, { seconds, loop } = axis;
    const said = `${clock(this.time)} of ${clock(seconds)}`;
    for (const [name, value] of [["valuemin", 0], ["valuemax", Math.round(seconds)], ["valuenow", Math.round(this.time)], ["valuetext", said]]) {
      if (area.getAttribute(`aria-${name}`) !== String(value)) area.setAttribute(`aria-${name}`, value);
    }
    this.looped.hidden = !loop;
    if (!loop) return;
    const from = axis.x(loop.from);
    this.looped.style.transform = `translateX(${from}px)`;
    this.looped.style.width = `${axis.x(loop.to) - from}px`;
  }

  redrawHead() {
    const x = this.axis.x(this.time);
    this.head.hidden = !this.axis.seconds || x < 0 || x > this.axis.width;
    this.head.style.transform = `translateX(${x}px)`;
  }

  redraw() {
    this.frame ??= requestAnimationFrame((now) => ((this.frame = null), this.#draw(now)));
  }

  #draw(now) {
    if (!this.curve || !this.area.clientWidth) return;
    const way = this.isStill ? 1 : 1 - Math.exp(-Math.min(100, Math.max(8, now - (this.drawn ?? 0))) / GLIDE);
    const gap = this.aim - this.until, isStill = this.isStill || Math.abs(gap) < this.axis.span / this.axis.width / 2;
    this.drawn = now;
    this.until = isStill ? this.aim : this.until + gap * way;
    const glides = this.stacking.glide(way);
    this.drawAll();
    this.#place();
    this.redrawHead();
    if (!isStill || glides) this.redraw();
  }

  drawAll() {
    const { axis, curve, stacking, until } = this, style = getComputedStyle(this), of = (name) => style.getPropertyValue(name).trim();
    const [paper, plain, soft] = [of("--paper"), of("--line"), of("--soft")], colours = this.labels.map((label) => painted(this.colours.get(label)));
    this.#drawRuler(soft, plain);
    const best = this.names.colourAt(colours);
    drawWaveform(surface(this.pens.waveform), axis, this.peaks, (time) => (time <= until ? best(time) : undefined), this.peaks ? soft : plain);
    const sum = this.isExclusive ? 1 : curve.most, isOver = this.isOver && until >= this.aim;
    const bands = sampled(curve, axis, stacking.order, { sum, until: Math.min(until, curve.end) });
    this.classList.toggle("unknown", Boolean(this.isUnknown));
    drawTimeline(surface(this.pens.timeline), axis, bands, stacking.order, { colours, until, isOver, paper, plain: soft });
    this.names.place(axis, bands, stacking.order, until);
    if (this.lower.clientHeight) this.#drawLower({ paper, against: of("--against"), strong: of("--for") });
  }

  #drawLower(colours) {
    const target = surface(this.pens.spectrogram);
    if (!this.spectrogram) return;
    this.spectrogram.draw(target, this.axis, isDark() ? DARK : LIGHT);
    if (this.evidence) drawEvidence(target, this.axis, this.spectrogram, this.evidence, colours);
  }

  #drawRuler(soft, plain) {
    const { pen, width, height, scale } = surface(this.ruler), { axis } = this;
    pen.fillStyle = soft;
    pen.font = `${12 * scale}px ${getComputedStyle(this).fontFamily}`;
    pen.textBaseline = "middle";
    for (const time of axis.ticks()) {
      const x = axis.x(time) * scale, text = time % 1 ? `${clock(Math.floor(time))}.5` : clock(time), wide = pen.measureText(text).width;
      if (x + wide + 8 * scale > width) continue;
      pen.fillText(text, x + 4 * scale, height / 2);
      pen.fillStyle = plain;
      pen.fillRect(Math.round(x), 0, Math.round(scale), height);
      pen.fillStyle = soft;
    }
  }
}

// A canvas, as many pixels as the screen has for it, empty.
function surface(canvas) {
  const scale = devicePixelRatio || 1, width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  return { pen, width, height, scale };
}

customElements.define("song-layers", SongLayers);
