// What an explanation says, laid over the spectrogram: parts whose hiding lowers the score stay clear, the rest recedes.

import { LOWEST, toMel } from "./mel.js";

const ROWS = 64, DIM = 0.86, WARM = 0.3, TINT = 0.4; // rows of the drawn picture; opacities over parts without evidence, for, against

// Draw {times, bands, evidence: [band][span]} within the frequencies that the spectrogram shows.
export function drawEvidence({ pen, width, height, scale }, axis, spectrogram, found, { paper, against, strong }) {
  const x = (time) => ((time - axis.from) / axis.span) * width, [left, right] = [x(found.start), x(found.end)];
  found.most ??= strongest(found, 1)[0] ?? null;
  pen.globalAlpha = DIM;
  pen.fillStyle = paper;
  if (left > 0) pen.fillRect(0, 0, Math.min(left, width), height);
  if (right < width) pen.fillRect(Math.max(0, right), 0, width - Math.max(0, right), height);
  pen.globalAlpha = 1;
  if (found.picturePaper !== paper || found.pictureOf !== spectrogram) found.picture = picture(found, spectrogram, { paper, against, strong });
  Object.assign(found, { picturePaper: paper, pictureOf: spectrogram });
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(found.picture, left, 0, right - left, height);
  frame({ pen, height, scale }, x, spectrogram, { most: found.most, strong });
  pen.fillStyle = against;
  for (const edge of [left, right]) if (edge > 0 && edge < width) pen.fillRect(Math.round(edge), 0, Math.round(scale), height);
}

// The largest drop, and the largest rise, of all parts.
export function extremes({ evidence }) {
  const all = evidence.flat();
  return { drop: Math.max(0, ...all), rise: Math.max(0, ...all.map((each) => -each)) };
}

// An outline around the part whose hiding lowers the score most.
function frame({ pen, height, scale }, x, spectrogram, found) {
  const { most } = found;
  if (!most) return;
  const [left, right] = [x(most.from), x(most.to)], [top, bottom] = [spectrogram.y(most.high), spectrogram.y(most.low)].map((y) => Math.min(1, Math.max(0, y)) * height);
  pen.strokeStyle = found.strong;
  pen.lineWidth = 2 * scale;
  pen.strokeRect(left, top + scale, right - left, bottom - top - 2 * scale);
}

function picture(found, spectrogram, { paper, against, strong }) {
  const spans = found.times.length - 1, canvas = new OffscreenCanvas(spans, ROWS), pen = canvas.getContext("2d");
  const { drop, rise } = extremes(found), most = Math.max(drop, rise, 1e-6), middles = middlesOf(found.bands);
  const image = pen.createImageData(spans, ROWS), [page, blue, warm] = [rgb(paper), rgb(against), rgb(strong)];
  for (let row = 0; row < ROWS; row++) {
    const [low, share] = bandAt(middles, spectrogram.hertz((row + 0.5) / ROWS));
    for (let span = 0; span < spans; span++) {
      const value = (1 - share) * found.evidence[low][span] + share * found.evidence[Math.min(low + 1, middles.length - 1)][span];
      image.data.set(pixel(value / most, { page, blue, warm }), 4 * (row * spans + span));
    }
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

// Red, green, blue and opacity of what lies over a part, for evidence from -1 (against) to 1 (for).
function pixel(value, { page, blue, warm }) {
  if (value >= 0) {
    const dim = DIM * (1 - value ** 0.4), tint = WARM * value * (1 - dim), all = dim + tint;
    return [...page.map((part, k) => Math.round((dim * part + tint * warm[k]) / (all || 1))), Math.round(255 * all)];
  }
  const much = TINT * Math.sqrt(-value);
  return [...page.map((part, k) => Math.round(part + much * (blue[k] - part))), Math.round(255 * DIM)];
}

const middlesOf = (edges) => edges.slice(1).map((edge, place) => (toMel(edge) + toMel(edges[place])) / 2);

// The band below a frequency, and how far it lies on the way to the next.
function bandAt(middles, hertz) {
  const mel = toMel(Math.max(LOWEST, hertz)), above = middles.findIndex((each) => each > mel);
  if (above <= 0) return [above < 0 ? middles.length - 1 : 0, 0];
  return [above - 1, (mel - middles[above - 1]) / (middles[above] - middles[above - 1])];
}

// The parts of the song that the score depends on most, as sentences say them.
export function strongest({ evidence, times, bands }, count = 2) {
  const all = evidence.flatMap((row, band) => row.map((drop, span) => ({ drop, from: times[span], to: times[span + 1], low: bands[band], high: bands[band + 1] })));
  return all.sort((one, other) => other.drop - one.drop).slice(0, count).filter(({ drop }) => drop > 0);
}

const rgb = (colour) => colour.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
