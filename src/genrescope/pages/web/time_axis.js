// The axis of time that all layers of a song share: which part is in sight, which part is looped.

const CLOSEST = 4, LEAST_LOOP = 0.25, NICE = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]; // seconds

export class TimeAxis extends EventTarget {
  constructor() {
    super();
    Object.assign(this, { seconds: 0, from: 0, to: 0, width: 1, loop: null });
  }

  // The song's length has become known, or is known better: the view stays where a person has zoomed to.
  setSeconds(seconds) {
    if (!(seconds > 0) || Math.abs(seconds - this.seconds) < 1e-3) return;
    const wasWhole = this.isWhole;
    this.seconds = seconds;
    this.show(wasWhole ? 0 : this.from, wasWhole ? seconds : this.to);
  }

  reset() {
    Object.assign(this, { seconds: 0, from: 0, to: 0, loop: null });
    this.#tell();
  }

  resize(width) {
    if (width === this.width || !(width > 0)) return;
    this.width = width;
    this.#tell();
  }

  get span() {
    return this.to - this.from || 1;
  }

  get isWhole() {
    return this.seconds === 0 || this.span >= this.seconds - 1e-6;
  }

  x(time) {
    return ((time - this.from) / this.span) * this.width;
  }

  time(x) {
    return this.hold(this.from + (x / this.width) * this.span);
  }

  hold(time) {
    return Math.min(this.seconds, Math.max(0, time));
  }

  // Show a part; it is moved into the song, and never shorter than a few seconds.
  show(from, to) {
    const span = Math.min(this.seconds, Math.max(CLOSEST, to - from));
    const middle = (from + to) / 2, start = Math.min(this.seconds - span, Math.max(0, middle - span / 2));
    Object.assign(this, { from: start, to: start + span });
    this.#tell();
  }

  whole() {
    this.show(0, this.seconds);
  }

  // Show more (below 1) or less (above 1) around a time, which stays where it is.
  zoom(factor, time = (this.from + this.to) / 2) {
    const span = Math.min(this.seconds, Math.max(CLOSEST, this.span / factor)), share = (time - this.from) / this.span;
    const from = Math.min(this.seconds - span, Math.max(0, time - share * span));
    this.show(from, from + span);
  }

  pan(seconds) {
    const by = Math.min(this.seconds - this.to, Math.max(-this.from, seconds));
    if (by) this.show(this.from + by, this.to + by);
  }

  // Turn the page when the playhead has left it.
  follow(time) {
    if (this.isWhole || (time >= this.from && time <= this.to - 0.02 * this.span)) return;
    this.show(time - 0.05 * this.span, time + 0.95 * this.span);
  }

  setLoop(one, other) {
    const from = this.hold(Math.min(one, other)), to = this.hold(Math.max(one, other));
    this.loop = to - from >= LEAST_LOOP ? { from, to } : null;
    this.#tell();
  }

  clearLoop() {
    this.loop = null;
    this.#tell();
  }

  // Times to write on a ruler, at least so many CSS pixels apart.
  ticks(apart = 80) {
    const least = (apart / this.width) * this.span, step = NICE.find((each) => each >= least) ?? NICE.at(-1);
    const first = Math.ceil(this.from / step), last = Math.floor(this.to / step + 1e-9);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => (first + place) * step);
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
