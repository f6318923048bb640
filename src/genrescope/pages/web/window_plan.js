// Where the windows of a song lie, and the samples under each, as `features/placement.py` has it.

import { joined } from "./resampler.js";

// How many frames a song of so many samples has.
export function framesOf(front, samples) {
  return Math.floor(Math.max(0, samples - front.short_by) / front.hop) + 1;
}

// The first frame of each window of a song of so many frames.
export function startsOf(frames, { length, step, spread }) {
  const room = Math.max(0, frames - length);
  if (!spread) return Array.from({ length: Math.floor(room / step) + 1 }, (_, place) => place * step);
  const gaps = Math.max(1, even(frames / length)) - 1;
  if (gaps === 0) return [0];
  return Array.from({ length: gaps + 1 }, (_, place) => (place === gaps ? room : even(place * (room / gaps))));
}

// Round to the nearest whole number, and halves to the even one, as Python does.
function even(value) {
  const low = Math.floor(value), rest = value - low;
  return rest === 0.5 ? low + (low % 2) : Math.round(value);
}

// Holds the samples of a song while they come, no more of them than the next windows need.
export class SampleWindow {
  constructor(front) {
    this.front = front;
    this.held = new Float32Array(front.before); // silence before the first sample
    this.first = -front.before; // the place of held[0] in the song
    this.ended = false;
  }

  push(piece) {
    this.held = joined(this.held, piece);
  }

  // The samples under the window that begins at a frame; null while they are not all there.
  under(frame) {
    const begin = frame * this.front.hop - this.front.before;
    if (begin > this.first) this.held = this.held.slice(begin - this.first);
    this.first = Math.max(this.first, begin);
    const found = this.held.subarray(0, this.front.samples);
    if (found.length === this.front.samples) return found.slice();
    return this.ended ? joined(found, new Float32Array(this.front.samples - found.length)) : null;
  }
}
