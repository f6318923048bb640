// The log-mel spectrogram as a layer: tiles from the sound's worker, painted once each, the coarser ones until then.

import { LOWEST, toHertz, toMel } from "./mel.js";

const WIDTH = 256, BANDS = 128, HOP = 128, KEEP = 120, AT_ONCE = 2; // columns, rows, samples, tiles kept, tiles asked for
const LABELS = [300, 1000, 3000, 8000];

export class Spectrogram {
  // `redraw()` is called when a tile has come.
  constructor(sound, redraw) {
    Object.assign(this, { sound, redraw, tiles: new Map(), asked: new Set(), wanted: [], shades: null });
    this.top = Math.max(0, Math.ceil(Math.log2((sound.seconds * sound.rate) / HOP / WIDTH)));
  }

  close() {
    this.redraw = () => {};
    this.tiles.clear();
  }

  // Where a frequency lies, 0 at the top to 1 at the bottom.
  y(hertz) {
    const low = toMel(LOWEST), high = toMel(this.sound.rate / 2);
    return 1 - (toMel(hertz) - low) / (high - low);
  }

  hertz(y) {
    const low = toMel(LOWEST), high = toMel(this.sound.rate / 2);
    return toHertz(high - y * (high - low));
  }

  get labels() {
    return LABELS.filter((hertz) => hertz < this.sound.rate / 2 / 1.2);
  }

  // `shades` are 256 colours as four bytes each; tiles are painted anew where they are others.
  draw({ pen, width, height }, axis, shades) {
    if (shades !== this.shades) for (const tile of this.tiles.values()) tile.picture = null;
    this.shades = shades;
    const column = (axis.span / width) * this.sound.rate; // samples of a pixel
    const level = Math.max(0, Math.min(this.top, Math.floor(Math.log2(Math.max(1, (column * 1.5) / HOP)))));
    this.wanted = [];
    pen.imageSmoothingEnabled = true;
    this.#drawLevel(pen, axis, { width, height, level });
    this.#ask();
  }

  #drawLevel(pen, axis, { width, height, level }) {
    const seconds = (WIDTH * HOP * 2 ** level) / this.sound.rate;
    const last = Math.floor((Math.min(axis.to, this.sound.seconds) - 1e-9) / seconds);
    for (let place = Math.floor(axis.from / seconds); place <= last; place++) {
      const found = this.#nearest(level, place);
      const x = (time) => ((time - axis.from) / axis.span) * width, left = x(place * seconds), right = x((place + 1) * seconds);
      if (found) pen.drawImage(found.picture, found.from, 0, found.wide, BANDS, left, 0, right - left, height);
      if (!this.tiles.has(key(level, place))) this.wanted.push([level, place]);
    }
    if (level < this.top && !this.tiles.has(key(this.top, 0))) this.wanted.unshift([this.top, 0]);
  }

  // A tile, or the part of a coarser one that holds it.
  #nearest(level, place) {
    for (let up = 0; level + up <= this.top; up++) {
      const name = key(level + up, place >> up), tile = this.tiles.get(name);
      if (!tile) continue;
      this.tiles.delete(name); // to the end of the map: used last
      this.tiles.set(name, tile);
      tile.picture ??= painted(tile.bytes, this.shades);
      const wide = WIDTH / 2 ** up;
      return { picture: tile.picture, from: (place % 2 ** up) * wide, wide };
    }
    return null;
  }

  #ask() {
    while (this.asked.size < AT_ONCE && this.wanted.length) {
      const [level, place] = this.wanted.shift(), name = key(level, place);
      if (!this.asked.has(name)) this.#take(level, place, name);
    }
  }

  async #take(level, place, name) {
    this.asked.add(name);
    const bytes = await this.sound.tile(level, place);
    this.asked.delete(name);
    this.tiles.set(name, { bytes, picture: null });
    if (this.tiles.size > KEEP) this.tiles.delete([...this.tiles.keys()].find((each) => each !== key(this.top, 0)));
    this.redraw();
  }
}

const key = (level, place) => `${level}/${place}`;

function painted(bytes, shades) {
  const picture = new OffscreenCanvas(WIDTH, BANDS), pen = picture.getContext("2d"), image = pen.createImageData(WIDTH, BANDS);
  const pixels = new Uint32Array(image.data.buffer);
  for (let n = 0; n < bytes.length; n++) pixels[n] = shades[bytes[n]];
  pen.putImageData(image, 0, 0);
  return picture;
}

// 256 shades between colours given as [share, red, green, blue].
export function ramp(stops) {
  const shades = new Uint32Array(256), bytes = new Uint8Array(shades.buffer);
  for (let n = 0; n < 256; n++) {
    const share = n / 255, next = Math.max(1, stops.findIndex(([at]) => at >= share)), [one, other] = [stops[next - 1], stops[next]];
    const way = (share - one[0]) / (other[0] - one[0]);
    for (let k = 0; k < 3; k++) bytes[4 * n + k] = Math.round(one[k + 1] + way * (other[k + 1] - one[k + 1]));
    bytes[4 * n + 3] = 255;
  }
  return shades;
}

// From the page's own colour to the loudest, for light and for dark pages: even in lightness, safe for colour-blind eyes.
export const LIGHT = ramp([
  [0, 255, 255, 255], [0.3, 240, 240, 246], [0.5, 198, 201, 226], [0.7, 132, 128, 189], [0.85, 96, 56, 140], [1, 44, 12, 66],
]);
export const DARK = ramp([
  [0, 21, 26, 34], [0.3, 30, 28, 58], [0.5, 74, 35, 104], [0.7, 160, 52, 104], [0.85, 236, 112, 76], [0.95, 252, 196, 120], [1, 255, 246, 214],
]);
