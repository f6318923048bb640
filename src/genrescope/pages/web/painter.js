// Songs as points, written into the canvas pixel by pixel, so no graphics card is needed.
//
// A point is a stamp: a shape of some radius as a list of pixels with their share of the shape. Confidence is the depth
// of the colour, mixed with the page's beforehand, so that a pixel is one number to write. Pixels at the edge keep
// their share as opacity, and never cover a pixel that is there.

import { DOUBTFUL, DUPLICATE } from "./packed.js";

const LEVELS = 8, FAINT = 0.35, DIM = 0.12;

// How far inside a shape a pixel's middle lies, in pixels; 0.5 and more is wholly inside.
const SHAPES = {
  disc: (x, y, radius) => radius - Math.hypot(x, y) + 0.5,
  ring: (x, y, radius) => Math.min(radius, 0.9 + radius / 6) - Math.abs(Math.hypot(x, y) - radius * 0.72) + 0.1,
  diamond: (x, y, radius) => (radius * 1.3 - Math.abs(x) - Math.abs(y)) / 1.3 + 0.5,
  hollow: (x, y, radius) => 0.9 + radius / 6 - Math.abs(Math.abs(x) + Math.abs(y) - radius) / 1.3,
};
const NAMES = Object.keys(SHAPES);

export function shapeOf(flags) {
  return (flags & DOUBTFUL ? 1 : 0) + (flags & DUPLICATE ? 2 : 0);
}

export function parts(colour) {
  return [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
}

function pixel([red, green, blue]) {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

function mixed(colour, paper, share) {
  return colour.map((part, place) => Math.round(paper[place] + (part - paper[place]) * share));
}

function stamp(name, radius, width) {
  const reach = Math.ceil(radius * 1.3) + 1, solid = [], edge = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const share = Math.max(0, Math.min(1, SHAPES[name](x, y, radius)));
      if (share > 0.9) solid.push(y * width + x);
      else if (share > 0.08) edge.push([y * width + x, Math.round(share * 255)]);
    }
  }
  const offsets = Int32Array.from(edge, ([offset]) => offset), alphas = Uint32Array.from(edge, ([, alpha]) => alpha);
  return { reach, solid: Int32Array.from(solid), offsets, alphas };
}

export class Painter {
  constructor(songs) {
    this.songs = songs;
    this.shapes = Uint8Array.from(songs.flags, shapeOf);
    this.level = Uint8Array.from(songs.confidence, (value) => Math.min(LEVELS - 1, Math.floor((value / 10000) * LEVELS)));
  }

  // Colours of the page: `paper` and each genre's, as `#rrggbb`.
  theme(paper, colours) {
    const page = parts(paper);
    this.colours = Uint32Array.from(
      colours.flatMap((colour) =>
        Array.from({ length: LEVELS + 1 }, (_, level) => {
          const share = level === LEVELS ? DIM : FAINT + ((1 - FAINT) * (level + 1)) / LEVELS;
          return pixel(mixed(parts(colour), page, share));
        }),
      ),
    );
  }

  // Radius of a point in CSS pixels: fewer songs, a larger window and a closer look make larger ones.
  radius(view) {
    const base = Math.max(1.1, Math.min(5.5, (0.28 * view.whole) / Math.sqrt(this.songs.count)));
    return Math.min(base * Math.max(0.8, view.zoom ** 0.35), Math.max(base, 11));
  }

  paint(canvas, view, state, ratio) {
    const radius = this.radius(view) * ratio, pad = Math.ceil(radius * 1.3) + 3;
    const width = canvas.width + 2 * pad, height = canvas.height + 2 * pad;
    const stamps = this.#stamps(radius, width);
    if (this.image?.width !== width || this.image.height !== height) this.#fresh(width, height);
    this.pixels.fill(0);
    const passes = state.isLit ? [0, 1] : [1];
    for (const lit of passes) this.#pass(lit, stamps, view, state, { ratio, pad, width, height });
    canvas.getContext("2d").putImageData(this.image, -pad, -pad);
  }

  #pass(lit, stamps, view, state, { ratio, pad, width, height }) {
    const { x, y, genre } = this.songs, { pixels, colours, level, shapes } = this;
    const scale = view.scale * ratio, left = view.left * ratio + pad, top = view.top * ratio + pad;
    const low = pad, right = width - pad, bottom = height - pad;
    for (let song = 0; song < x.length; song++) {
      if (!state.shown[song] || (state.isLit && state.lit[song] !== lit)) continue;
      const atX = Math.round(left + (x[song] / 65535) * scale), atY = Math.round(top + (y[song] / 65535) * scale);
      if (atX < low - pad / 2 || atY < low - pad / 2 || atX > right + pad / 2 - 1 || atY > bottom + pad / 2 - 1) continue;
      const colour = colours[genre[song] * (LEVELS + 1) + (lit ? level[song] : LEVELS)];
      press(pixels, stamps[shapes[song]], atY * width + atX, colour);
    }
  }

  #fresh(width, height) {
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  #stamps(radius, width) {
    if (this.made?.radius !== radius || this.made.width !== width) {
      this.made = { radius, width, stamps: NAMES.map((name) => stamp(name, radius, width)) };
    }
    return this.made.stamps;
  }
}

function press(pixels, { solid, offsets, alphas }, centre, colour) {
  for (let place = 0; place < solid.length; place++) {
    const at = centre + solid[place];
    if (at >= 0 && at < pixels.length) pixels[at] = colour;
  }
  const plain = colour & 0xffffff;
  for (let place = 0; place < offsets.length; place++) {
    const at = centre + offsets[place];
    if (at < 0 || at >= pixels.length || pixels[at] >>> 24 >= alphas[place]) continue;
    pixels[at] = ((alphas[place] << 24) | plain) >>> 0;
  }
}
