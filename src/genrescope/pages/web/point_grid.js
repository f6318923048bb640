// A grid over the unit square that finds the song nearest to a point.

export class PointGrid {
  constructor(x, y) {
    this.x = x;
    this.y = y;
    this.side = Math.max(1, Math.min(512, Math.round(Math.sqrt(x.length / 2))));
    const starts = new Uint32Array(this.side * this.side + 1);
    const cells = Uint32Array.from(x, (_, song) => this.#cell(x[song]) * this.side + this.#cell(y[song]));
    for (const cell of cells) starts[cell + 1]++;
    for (let cell = 0; cell < starts.length - 1; cell++) starts[cell + 1] += starts[cell];
    const next = starts.slice();
    this.songs = new Uint32Array(x.length);
    cells.forEach((cell, song) => (this.songs[next[cell]++] = song));
    this.starts = starts;
  }

  // The nearest song within a distance of which `wanted` holds; -1 where there is none.
  nearest(x, y, within, wanted = () => true) {
    let found = -1, least = within * within;
    for (let row = this.#cell(x - within); row <= this.#cell(x + within); row++) {
      const first = this.starts[row * this.side + this.#cell(y - within)];
      const end = this.starts[row * this.side + this.#cell(y + within) + 1];
      for (let place = first; place < end; place++) {
        const song = this.songs[place];
        const apart = (this.x[song] - x) ** 2 + (this.y[song] - y) ** 2;
        if (apart <= least && wanted(song)) [found, least] = [song, apart];
      }
    }
    return found;
  }

  #cell(value) {
    return Math.max(0, Math.min(this.side - 1, Math.floor(value * this.side)));
  }
}

// Whether a point lies within a polygon: a ray from it crosses the outline an odd number of times.
export function isInside(x, y, outline) {
  let inside = false;
  for (let place = 0, before = outline.length - 1; place < outline.length; before = place++) {
    const [x1, y1] = outline[place], [x2, y2] = outline[before];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}
