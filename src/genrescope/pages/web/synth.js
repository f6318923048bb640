// Three short pieces of made-up music, computed sample by sample: something to try the page with.

export const RATE = 22050;
const SECONDS = 24;

const hertz = (note) => 440 * 2 ** ((note - 69) / 12); // of a MIDI note
const saw = (phase) => 2 * (phase - Math.floor(phase)) - 1;
const sine = (phase) => Math.sin(2 * Math.PI * phase);
const square = (phase) => (phase % 1 < 0.5 ? 1 : -1);

class Piece {
  constructor() {
    this.samples = new Float32Array(SECONDS * RATE);
    this.seed = 1;
  }

  // Add a sound that begins at a time: `shape(seconds since then)` gives its samples.
  add(at, seconds, loudness, shape) {
    const first = Math.round(at * RATE), last = Math.min(this.samples.length, first + Math.round(seconds * RATE));
    for (let n = first; n < last; n++) {
      const time = (n - first) / RATE, soft = Math.min(1, time / 0.004, (seconds - time) / 0.02);
      this.samples[n] += loudness * soft * shape(time);
    }
  }

  note(at, seconds, note, loudness, wave, fall = 3) {
    const pitch = hertz(note);
    this.add(at, seconds, loudness, (time) => wave(pitch * time) * Math.exp(-fall * time));
  }

  noise() {
    this.seed = (this.seed * 1664525 + 1013904223) % 2 ** 32;
    return (2 * this.seed) / 2 ** 32 - 1;
  }

  kick(at) {
    this.add(at, 0.3, 0.8, (time) => sine(48 * time + 6 * (1 - Math.exp(-28 * time))) * Math.exp(-9 * time));
  }

  snare(at) {
    this.add(at, 0.2, 0.35, (time) => (this.noise() + 0.6 * sine(185 * time)) * Math.exp(-16 * time));
  }

  hat(at, loudness = 0.12) {
    let before = 0;
    this.add(at, 0.07, loudness, (time) => {
      const now = this.noise(), high = now - before;
      before = now;
      return high * Math.exp(-50 * time);
    });
  }

  // All samples, no louder than a limit.
  done() {
    const most = this.samples.reduce((one, other) => Math.max(one, Math.abs(other)), 1e-6);
    return this.samples.map((each) => (0.85 * each) / most);
  }
}

// A straight beat with an eighth-note bass, 126 beats a minute.
export function beat() {
  const piece = new Piece(), step = 60 / 126, bass = [33, 33, 36, 31];
  for (let n = 0; n * step < SECONDS - 1; n++) {
    const at = n * step, root = bass[Math.floor(n / 8) % 4];
    if (n < 40 || n >= 44) piece.kick(at);
    piece.hat(at + step / 2, 0.2);
    if (n % 2) piece.snare(at);
    for (const half of [0, 0.5]) piece.note(at + half * step, step * 0.45, root + 12 * (half ? 1 : 0), 0.3, saw, 6);
    if (n >= 16) for (const third of [12, 15, 19]) piece.note(at + step / 2, step * 0.4, root + 24 + third, 0.06, square, 8);
  }
  return piece.done();
}

// Slow chords that swell, and a melody above them.
export function strings() {
  const piece = new Piece(), chords = [[48, 55, 64, 67], [45, 52, 60, 64], [41, 48, 57, 65], [43, 50, 59, 62]], tune = [76, 74, 72, 71, 69, 72, 74, 79];
  for (let bar = 0; bar < SECONDS / 3; bar++) {
    for (const note of chords[bar % 4]) for (const off of [-0.06, 0.05]) {
      const pitch = hertz(note + off);
      piece.add(bar * 3, 3.2, 0.12, (time) => {
        let sum = 0;
        for (let k = 1; k <= 5; k++) sum += sine(k * pitch * time + 0.006 * k * sine(5 * time)) / k ** 1.6;
        return sum * Math.sin((Math.PI * time) / 3.2) ** 0.7;
      });
    }
    for (const half of [0, 1]) piece.add(bar * 3 + half * 1.5, 1.5, 0.16, (time) => sine(hertz(tune[(2 * bar + half) % 8]) * time + 0.02 * sine(5.5 * time)) * Math.sin((Math.PI * time) / 1.5));
  }
  return piece.done();
}

// Distorted fifths over loud drums; in the middle four quiet bars of a plucked string.
export function riff() {
  const piece = new Piece(), step = 60 / 150, roots = [40, 40, 43, 45, 40, 40, 47, 45];
  for (let n = 0; n * step < SECONDS - 0.5; n++) {
    const at = n * step, isQuiet = n >= 24 && n < 40, root = roots[Math.floor(n / 2) % 8];
    if (isQuiet) {
      for (const half of [0, 0.5]) piece.note(at + half * step, 0.9, root + 12 + [0, 7, 12, 16][(2 * n + 2 * half) % 4], 0.28, (phase) => sine(phase) + 0.5 * sine(2 * phase) + 0.25 * sine(3 * phase), 4);
      continue;
    }
    for (const half of [0, 0.5]) for (const fifth of [0, 7, 12]) piece.add(at + half * step, step * 0.48, 0.16, (time) => Math.tanh(5 * saw(hertz(root + fifth) * time)) * Math.exp(-2 * time));
    piece.hat(at, 0.25);
    if (n % 4 === 0 || n % 4 === 3) piece.kick(at);
    if (n % 4 === 2) piece.snare(at);
  }
  return piece.done();
}
