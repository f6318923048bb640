// Where songs are dense: a soft light behind the points in the colours of their genres, and a place for each name.

import { parts } from "./painter.js";

const SIDE = 160, EDGE = 16; // cells of a side, and of the margin around the songs
const BLUR = 2, PASSES = 5;
const LEAST = 0.012; // share of the songs that a genre needs for a name on the map

function blurred(field) {
  let from = field;
  for (let pass = 0; pass < PASSES * 2; pass++) {
    const to = new Float32Array(from.length), [step, line] = pass % 2 ? [SIDE, 1] : [1, SIDE];
    for (let row = 0; row < SIDE; row++) {
      let sum = 0;
      for (let place = -BLUR; place < SIDE; place++) {
        if (place + BLUR < SIDE) sum += from[row * line + (place + BLUR) * step];
        if (place - BLUR - 1 >= 0) sum -= from[row * line + (place - BLUR - 1) * step];
        if (place >= 0) to[row * line + place * step] = sum / (2 * BLUR + 1);
      }
    }
    from = to;
  }
  return from;
}

function cell(value) {
  return EDGE + Math.floor((value / 65535) * (SIDE - 2 * EDGE - 1e-3));
}

function densities(songs, state) {
  const fields = new Map(), counts = new Map();
  for (let song = 0; song < songs.count; song++) {
    if (!state.shown[song]) continue;
    const genre = songs.genre[song];
    if (!fields.has(genre)) fields.set(genre, new Float32Array(SIDE * SIDE));
    fields.get(genre)[cell(songs.y[song]) * SIDE + cell(songs.x[song])]++;
    counts.set(genre, (counts.get(genre) || 0) + 1);
  }
  return { fields: new Map([...fields].map(([genre, field]) => [genre, blurred(field)])), counts };
}

function peak(field) {
  let best = 0;
  field.forEach((value, place) => (best = value > field[best] ? place : best));
  const at = (place) => (place + 0.5 - EDGE) / (SIDE - 2 * EDGE);
  return { x: at(best % SIDE), y: at(Math.floor(best / SIDE)) };
}

export class Glow {
  constructor(songs) {
    this.songs = songs;
    this.canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    this.names = [];
  }

  // Compute the light and the places of names for the songs that are shown.
  follow(state, colours, strength) {
    const { fields, counts } = densities(this.songs, state);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    this.names = [...counts]
      .filter(([, count]) => count >= Math.max(2, LEAST * total))
      .sort((one, two) => two[1] - one[1])
      .map(([genre, count]) => ({ genre, share: count / total, ...peak(fields.get(genre)) }));
    this.#light(fields, colours, (total / (SIDE - 2 * EDGE) ** 2) * 1.5, strength);
  }

  #light(fields, colours, usual, strength) {
    const image = new ImageData(SIDE, SIDE), held = [...fields].map(([genre, field]) => [parts(colours[genre]), field]);
    for (let place = 0; place < SIDE * SIDE; place++) {
      let sum = 0;
      const mix = [0, 0, 0];
      for (const [colour, field] of held) {
        sum += field[place];
        for (let part = 0; part < 3; part++) mix[part] += colour[part] * field[place];
      }
      if (sum < 1e-6) continue;
      for (let part = 0; part < 3; part++) image.data[place * 4 + part] = mix[part] / sum;
      image.data[place * 4 + 3] = 255 * strength * (sum / (sum + usual));
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  paint(canvas, view, ratio, share) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.globalAlpha = share;
    const unit = (view.scale * ratio) / (SIDE - 2 * EDGE), side = unit * SIDE;
    context.drawImage(this.canvas, view.left * ratio - EDGE * unit, view.top * ratio - EDGE * unit, side, side);
  }
}
