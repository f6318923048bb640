// The stacked area of genre scores as a layer: centred, as tall as the scores sum to, thin where the song is silent.

const STEP = 2, SOFT = 48, LEAST = 0.004; // CSS pixels between samples, of the soft front; shares that are not drawn

// The order in which labels are stacked, the highest mean at the bottom. It glides when it changes, so nothing jumps.
export class Stacking {
  constructor() {
    Object.assign(this, { order: [], places: [], aims: [] });
  }

  // Take means by label; return whether anything moves.
  take(means) {
    const order = means.map((_, k) => k).sort((one, other) => means[other] - means[one]);
    this.aims = order.reduce((aims, label, place) => ((aims[label] = place), aims), []);
    if (!this.places.length) this.places = [...this.aims];
    return this.#sorted();
  }

  // Go a share of the way; return whether there is more to go.
  glide(share) {
    this.places = this.places.map((place, label) => {
      const left = this.aims[label] - place;
      return Math.abs(left) < 0.02 ? this.aims[label] : place + left * share;
    });
    return this.#sorted();
  }

  #sorted() {
    this.order = this.places.map((_, label) => label).sort((one, other) => this.places[one] - this.places[other]);
    return this.places.some((place, label) => place !== this.aims[label]);
  }
}

// Sample the curve over what is in sight: a column for every few pixels, edges from the bottom up as shares of the height.
export function sampled(curve, axis, order, { sum, until, width = axis.width }) {
  const count = Math.ceil(width / STEP) + 1, rows = order.length + 1, each = (axis.span / width) * STEP;
  const edges = new Float32Array(count * rows), scores = new Float64Array(curve.count + 1);
  const columns = curve.windows.length === 0 ? 0 : Math.max(0, Math.min(count, Math.ceil((until - axis.from) / each) + 1));
  for (let x = 0; x < columns; x++) {
    curve.at(axis.from + x * each, each, scores);
    let all = 0;
    for (let k = 0; k < curve.count; k++) all += scores[k];
    let edge = 0.5 - all / sum / 2;
    edges[x * rows] = edge;
    for (const [place, label] of order.entries()) edges[x * rows + place + 1] = edge += scores[label] / sum;
  }
  return { edges, rows, columns, step: STEP };
}

// Draw onto `pen` (device pixels): `colours` by label; up to `until` seconds, with a soft front until all is there.
export function drawTimeline({ pen, width, height, scale }, axis, bands, order, { colours, until, isOver, paper, plain }) {
  const front = axis.x(until) * scale, { columns } = bands;
  if (columns > 1) for (let place = order.length - 1; place >= 0; place--) {
    if (!matters(bands, place)) continue;
    pen.fillStyle = colours[order[place]];
    pen.fill(area(bands, place, scale, height));
    if (place) line(pen, bands, place, { scale, height, paper });
  }
  if (!isOver) fade(pen, front, { width, height, scale });
  rest(pen, isOver ? width : front, { width, height, scale, plain, isOver });
}

function matters({ edges, rows, columns }, place) {
  for (let x = 0; x < columns; x++) if (edges[x * rows + place + 1] - edges[x * rows + place] > LEAST) return true;
  return false;
}

// From the base of all to a band's upper edge: those that are drawn later cover the lower part, so no seams show.
function area({ edges, rows, columns, step }, place, scale, height) {
  const path = new Path2D(), y = (share) => (1 - share) * height;
  path.moveTo(0, y(edges[0]));
  for (let x = 0; x < columns; x++) path.lineTo(x * step * scale, y(edges[x * rows + place + 1]));
  for (let x = columns - 1; x >= 0; x--) path.lineTo(x * step * scale, y(edges[x * rows]));
  path.closePath();
  return path;
}

// A line in the page's colour parts a band from the one below, so that colours need not do it alone.
function line(pen, { edges, rows, columns, step }, place, { scale, height, paper }) {
  pen.beginPath();
  for (let x = 0; x < columns; x++) pen.lineTo(x * step * scale, (1 - edges[x * rows + place]) * height);
  pen.strokeStyle = paper;
  pen.lineWidth = Math.max(1, scale * 0.75);
  pen.stroke();
}

function fade(pen, front, { width, height, scale }) {
  const soft = pen.createLinearGradient(front - SOFT * scale, 0, front, 0);
  soft.addColorStop(0, "rgb(0 0 0 / 1)");
  soft.addColorStop(1, "rgb(0 0 0 / 0)");
  pen.globalCompositeOperation = "destination-in";
  pen.fillStyle = soft;
  pen.fillRect(0, 0, width, height);
  pen.globalCompositeOperation = "source-over";
}

// A hairline: what has no scores yet, and beneath all, silence.
function rest(pen, front, { width, height, scale, plain, isOver }) {
  pen.globalCompositeOperation = "destination-over";
  pen.fillStyle = plain;
  const from = isOver ? 0 : Math.max(0, front - SOFT * scale);
  pen.globalAlpha = 0.5;
  pen.fillRect(from, Math.floor(height / 2), width - from, Math.max(1, Math.round(scale)));
  pen.globalAlpha = 1;
  pen.globalCompositeOperation = "source-over";
}
