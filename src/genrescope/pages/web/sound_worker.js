// Holds the samples of one song, and makes its peaks and tiles of its log-mel spectrogram, off the page's thread.

import { Spectrum } from "./fft.js";
import { filters } from "./mel.js";

const SIZE = 2048, BANDS = 128, WIDTH = 256, HOP = 128, MOST = 3; // MOST: spectra that a column of a coarse tile takes
const PEAK = 64, FLOOR = 80; // samples of a peak, dB below the loudest

let samples = new Float32Array(0), bank = [], reference = 1e-9;
const spectrum = new Spectrum(SIZE), column = new Float32Array(BANDS);

const jobs = {
  load({ channels, rate }) {
    samples = mixed(channels);
    bank = filters(BANDS, SIZE, rate);
    reference = loudest();
    const peaks = envelope();
    return [{ peaks, step: PEAK, length: samples.length }, [peaks.buffer]];
  },
  tile({ level, place }) {
    const bytes = tile(HOP * 2 ** level, place);
    return [{ bytes }, [bytes.buffer]];
  },
};

self.addEventListener("message", ({ data }) => {
  const [answer, moved] = jobs[data.job](data);
  self.postMessage({ id: data.id, ...answer }, moved);
});

function mixed([first, ...others]) {
  for (const other of others) for (let n = 0; n < first.length; n++) first[n] += other[n];
  const share = 1 / (1 + others.length);
  if (others.length) for (let n = 0; n < first.length; n++) first[n] *= share;
  return first;
}

// Pairs of bytes for every so many samples: the largest magnitude, and the root mean square.
function envelope() {
  const count = Math.ceil(samples.length / PEAK), found = new Uint8Array(2 * count);
  for (let place = 0; place < count; place++) {
    const end = Math.min(samples.length, (place + 1) * PEAK);
    let most = 0, power = 0;
    for (let n = place * PEAK; n < end; n++) {
      const size = Math.abs(samples[n]);
      if (size > most) most = size;
      power += size * size;
    }
    found[2 * place] = Math.round(255 * Math.min(1, most));
    found[2 * place + 1] = Math.round(255 * Math.min(1, Math.sqrt(power / PEAK)));
  }
  return found;
}

// The largest power of a band in spectra spread over the song: 0 dB of the drawing.
function loudest() {
  let most = 1e-9;
  for (let n = 0; n < 300; n++) {
    column.fill(0);
    add(Math.round(((n + 0.5) / 300) * samples.length));
    for (const power of column) if (power > most) most = power;
  }
  return most;
}

function add(middle) {
  const power = spectrum.at(samples, middle);
  for (let band = 0; band < BANDS; band++) {
    const { first, weights } = bank[band];
    let sum = 0;
    for (let k = 0; k < weights.length; k++) sum += weights[k] * power[first + k];
    if (sum > column[band]) column[band] = sum;
  }
}

// Bytes (bands, columns), the highest band first; 255 is 0 dB, 0 the floor. Coarse columns take the loudest of a few.
function tile(hop, place) {
  const bytes = new Uint8Array(BANDS * WIDTH), count = Math.min(MOST, Math.max(1, Math.round(hop / SIZE) + (hop > HOP * 4)));
  for (let x = 0; x < WIDTH; x++) {
    const start = (place * WIDTH + x) * hop;
    if (start >= samples.length) break;
    column.fill(0);
    for (let n = 0; n < count; n++) add(Math.round(start + ((n + 0.5) / count) * hop));
    for (let band = 0; band < BANDS; band++) bytes[(BANDS - 1 - band) * WIDTH + x] = level(column[band]);
  }
  return bytes;
}

function level(power) {
  const decibels = 10 * Math.log10(power / reference + 1e-12);
  return Math.max(0, Math.min(255, Math.round(255 * (1 + decibels / FLOOR))));
}
