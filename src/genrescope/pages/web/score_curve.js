// The scores of a song's windows as a curve over time: soft between windows, averaged where many share a pixel.

import { bestOf } from "./genre_strip.js";

export class ScoreCurve {
  // `count` labels.
  constructor(count) {
    Object.assign(this, { count, windows: [], middles: [], sums: new Float64Array(count + 1), most: 1e-6 });
  }

  get end() {
    return this.windows.at(-1)?.end ?? 0;
  }

  // Take the windows so far: those that came before are kept as they are.
  take(windows) {
    const known = windows.filter(Boolean);
    if (known.length < this.windows.length || known[0] !== this.windows[0]) this.#forget();
    const before = this.windows.length;
    if (known.length === before) return false;
    this.windows = known;
    this.#add(before);
    return true;
  }

  #forget() {
    Object.assign(this, { windows: [], middles: [], most: 1e-6 });
    this.sums = new Float64Array(this.count + 1);
  }

  // Sums from the beginning, a row for each window: the scores, and how much of it is no silence.
  #add(before) {
    const wide = this.count + 1, sums = this.#room((this.windows.length + 1) * wide);
    for (let place = before; place < this.windows.length; place++) {
      const { start, end, scores, silent } = this.windows[place], row = place * wide;
      this.middles.push((start + end) / 2);
      for (let k = 0; k < this.count; k++) sums[row + wide + k] = sums[row + k] + (silent ? 0 : scores[k]);
      sums[row + wide + this.count] = sums[row + this.count] + (silent ? 0 : 1);
      if (!silent) this.most = Math.max(this.most, scores.reduce((all, each) => all + each, 0));
    }
  }

  // The sums, with room for so many values: twice as many where there was none, so that growing costs little.
  #room(values) {
    if (this.sums.length >= values) return this.sums;
    const larger = new Float64Array(2 * values);
    larger.set(this.sums);
    this.sums = larger;
    return larger;
  }

  // Write scores into `out` (count + 1,) around a time, the mean over so many seconds; the last is the share of sound.
  at(time, seconds, out) {
    const last = this.windows.length - 1, one = this.#place(time - seconds / 2), other = this.#place(time + seconds / 2);
    if (other - one >= 2) return this.#mean(one + 1, other + 1, out);
    const place = this.#place(time), next = Math.min(last, Math.max(0, place + 1)), from = Math.max(0, place);
    const apart = this.middles[next] - this.middles[from];
    const share = apart > 0 ? Math.min(1, Math.max(0, (time - this.middles[from]) / apart)) : 0;
    return this.#between(from, next, 0.5 - 0.5 * Math.cos(Math.PI * share), out);
  }

  #mean(from, to, out) {
    const wide = this.count + 1;
    for (let k = 0; k < wide; k++) out[k] = (this.sums[to * wide + k] - this.sums[from * wide + k]) / (to - from);
    return out;
  }

  #between(one, other, share, out) {
    const { windows, count } = this, first = windows[one], second = windows[other];
    const [a, b] = [first.silent ? 0 : 1 - share, second.silent ? 0 : share];
    for (let k = 0; k < count; k++) out[k] = a * first.scores[k] + b * second.scores[k];
    out[count] = a + b;
    return out;
  }

  // The last window whose middle is not after a time, or -1.
  #place(time) {
    let low = 0, high = this.middles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.middles[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // Mean of each label over what is no silence.
  means() {
    const wide = this.count + 1, row = this.windows.length * wide, sound = this.sums[row + this.count] || 1;
    return Array.from({ length: this.count }, (_, k) => this.sums[row + k] / sound);
  }

  // Stretches with one best label, as {start, end, label}; label -1 is silence. Shorter ones than `least` seconds join
  // the one before.
  stretches(least = 3) {
    const found = [];
    for (const [place, { silent, scores, start, end }] of this.windows.entries()) {
      const label = silent ? -1 : bestOf(scores), last = found.at(-1);
      const from = place ? (this.middles[place - 1] + this.middles[place]) / 2 : start;
      if (last?.label === label) last.end = end;
      else {
        if (last) last.end = from;
        found.push({ start: from, end, label });
      }
    }
    return merged(found, least);
  }
}

function merged(stretches, least) {
  const kept = [];
  for (const each of stretches) {
    const last = kept.at(-1);
    if (last && (last.label === each.label || each.end - each.start < least)) last.end = each.end;
    else kept.push({ ...each });
  }
  return kept;
}
