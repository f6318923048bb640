// Which part of the unit square a window shows: a scale (CSS pixels) and the place of the square's corner.

const CLOSEST = 400, MARGIN = 32, SMALL = 16; // times the whole, CSS pixels around it, and in small windows

export class Viewport {
  constructor() {
    Object.assign(this, { width: 1, height: 1, scale: 1, left: 0, top: 0, isFitted: true });
  }

  // The window has another size: what was in the middle stays there.
  resize(width, height) {
    const x = this.toX(this.width / 2), y = this.toY(this.height / 2);
    Object.assign(this, { width, height });
    if (this.isFitted) this.fit();
    else this.centre(x, y, this.scale);
  }

  // The scale at which all songs are in the window.
  get whole() {
    const side = Math.min(this.width, this.height);
    return Math.max(64, side - 2 * (side < 480 ? SMALL : MARGIN));
  }

  get zoom() {
    return this.scale / this.whole;
  }

  fit() {
    this.centre(0.5, 0.5, this.whole);
    this.isFitted = true;
  }

  centre(x, y, scale) {
    this.scale = Math.max(this.whole / 2, Math.min(this.whole * CLOSEST, scale));
    this.left = this.width / 2 - x * this.scale;
    this.top = this.height / 2 - y * this.scale;
    this.isFitted = false;
  }

  pan(right, down) {
    this.left += right;
    this.top += down;
    this.isFitted = false;
    this.#hold();
  }

  zoomAt(x, y, factor) {
    const [atX, atY] = [this.toX(x), this.toY(y)];
    const scale = Math.max(this.whole / 2, Math.min(this.whole * CLOSEST, this.scale * factor));
    Object.assign(this, { scale, left: x - atX * scale, top: y - atY * scale, isFitted: false });
    this.#hold();
  }

  toX(right) {
    return (right - this.left) / this.scale;
  }

  toY(down) {
    return (down - this.top) / this.scale;
  }

  right(x) {
    return this.left + x * this.scale;
  }

  down(y) {
    return this.top + y * this.scale;
  }

  isVisible(x, y) {
    const right = this.right(x), down = this.down(y);
    return right > MARGIN && right < this.width - MARGIN && down > MARGIN && down < this.height - MARGIN;
  }

  // The songs never leave the window altogether.
  #hold() {
    this.left = Math.max(MARGIN * 2 - this.scale, Math.min(this.width - MARGIN * 2, this.left));
    this.top = Math.max(MARGIN * 2 - this.scale, Math.min(this.height - MARGIN * 2, this.top));
  }
}
