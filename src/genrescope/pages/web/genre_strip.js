// A song's timeline as a strip of colours, drawn on a small canvas: each moment in the colour of its best genre, stronger
// where its score is higher. Silent parts and those that no score has come for yet are a thin line.

import { painted } from "./genre_colours.js";

const THIN = 2, LEAST = 0.3; // CSS pixels of the thin line; opacity of a score of zero

export function drawStrip(canvas, song, labels, colours) {
  const scale = devicePixelRatio || 1, { clientWidth, clientHeight } = canvas;
  const width = Math.round(clientWidth * scale), height = Math.round(clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.fillRect(0, (height - THIN * scale) / 2, width, THIN * scale);
  for (const [from, to, window] of parts(song)) drawPart(pen, from * width, to * width, height, window, labels, colours);
  pen.globalAlpha = 1;
}

function drawPart(pen, from, to, height, window, labels, colours) {
  if (window.silent) return;
  const best = bestOf(window.scores), left = Math.floor(from), wide = Math.max(1, Math.ceil(to) - left);
  pen.clearRect(left, 0, wide, height);
  pen.globalAlpha = LEAST + (1 - LEAST) * window.scores[best];
  pen.fillStyle = painted(colours.get(labels[best]));
  pen.fillRect(left, 0, wide, height);
}

export function bestOf(scores) {
  let best = 0;
  for (let place = 1; place < scores.length; place++) if (scores[place] > scores[best]) best = place;
  return best;
}

// Windows may overlap, or lie apart: each counts from halfway to its neighbours, in shares of the song.
function parts({ windows, seconds }) {
  const known = windows.filter(Boolean), length = seconds || known.at(-1)?.end || 1;
  const middle = ({ start, end }) => (start + end) / 2;
  const between = (one, other) => (middle(one) + middle(other)) / 2 / length;
  return known.map((window, place) => {
    const from = place ? between(known[place - 1], window) : window.start / length;
    const to = place + 1 < known.length ? between(window, known[place + 1]) : window.end / length;
    return [Math.max(0, from), Math.min(1, to), window];
  });
}
