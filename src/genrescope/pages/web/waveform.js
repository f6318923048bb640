// The waveform as a layer: peaks pale, the root mean square strong, each moment in the colour of its best genre.

const FEW = 4; // peaks of a level that become one of the next

// Peaks at several resolutions, so that a column of pixels never reads more than a few; the loudest fills the height.
export class Peaks {
  constructor({ peaks, step, rate }) {
    this.levels = [{ peaks, seconds: step / rate }];
    this.loudest = Math.max(8, peaks.reduce((most, each) => Math.max(most, each), 0)) / 255;
    while (this.levels.at(-1).peaks.length > 512) this.levels.push(coarser(this.levels.at(-1)));
  }

  // The finest level with at most one peak and a half for so many seconds.
  level(seconds) {
    return this.levels.find((each) => each.seconds * FEW * 1.5 > seconds) ?? this.levels.at(-1);
  }
}

function coarser({ peaks, seconds }) {
  const count = Math.ceil(peaks.length / 2 / FEW), made = new Uint8Array(2 * count);
  for (let place = 0; place < count; place++) {
    let most = 0, power = 0, read = 0;
    for (let n = place * FEW; n < Math.min(peaks.length / 2, (place + 1) * FEW); n++, read++) {
      most = Math.max(most, peaks[2 * n]);
      power += peaks[2 * n + 1] ** 2;
    }
    made[2 * place] = most;
    made[2 * place + 1] = Math.round(Math.sqrt(power / read));
  }
  return { peaks: made, seconds: seconds * FEW };
}

// Draw onto `pen` (device pixels): `colourAt(time)` is the colour there. Without peaks there is a thin line.
export function drawWaveform({ pen, width, height }, axis, peaks, colourAt, plain) {
  const middle = height / 2, each = axis.span / width, paths = new Map();
  if (!peaks) {
    pen.fillStyle = plain;
    pen.fillRect(0, Math.floor(middle), width, 1);
    return;
  }
  const level = peaks.level(each), tallest = (0.96 * height) / peaks.loudest;
  for (let x = 0; x < width; x++) {
    const [most, mean] = highest(level, axis.from + x * each, each), colour = colourAt(axis.from + (x + 0.5) * each) ?? plain;
    if (!paths.has(colour)) paths.set(colour, [new Path2D(), new Path2D()]);
    const [pale, strong] = paths.get(colour), tall = Math.max(1, Math.round(most * tallest)), core = Math.max(1, Math.round(mean * tallest));
    pale.rect(x, Math.round(middle - tall / 2), 1, tall);
    strong.rect(x, Math.round(middle - core / 2), 1, core);
  }
  for (const [colour, [pale, strong]] of paths) {
    pen.fillStyle = colour;
    pen.globalAlpha = 0.45;
    pen.fill(pale);
    pen.globalAlpha = 1;
    pen.fill(strong);
  }
}

function highest({ peaks, seconds }, from, span) {
  const count = peaks.length / 2, first = Math.max(0, Math.floor(from / seconds));
  const last = Math.min(count - 1, Math.max(first, Math.ceil((from + span) / seconds) - 1));
  let most = 0, mean = 0;
  for (let n = first; n <= last; n++) {
    most = Math.max(most, peaks[2 * n]);
    mean = Math.max(mean, peaks[2 * n + 1]);
  }
  return [most / 255, mean / 255];
}
