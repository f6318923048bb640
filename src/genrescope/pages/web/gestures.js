// Mouse, touch and keys on the map: drag pans, the wheel and two fingers zoom, a tap chooses, a drawn line is a lasso.

const STEP = 48, FACTOR = 1.5, SLOP = 6; // CSS pixels of a key's pan, a key's zoom, CSS pixels that are no drag

export class Gestures {
  // `map` has view, isLasso, hover(x, y), choose(x, y), draw(outline), drawn(outline), moved(), step(name).
  constructor(map, area) {
    this.map = map;
    this.area = area;
    this.pointers = new Map();
    this.outline = null;
    const listen = (name, handler, options) => area.addEventListener(name, handler, options);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) listen(name, (event) => this.#up(event));
    listen("pointerleave", () => this.pointers.size || map.hover(null));
    listen("wheel", (event) => this.#wheel(event), { passive: false });
    listen("dblclick", (event) => this.#zoom(...this.#place(event), 2));
    listen("keydown", (event) => this.#key(event));
  }

  #place(event) {
    const box = this.area.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #zoom(x, y, factor) {
    this.map.view.zoomAt(x, y, factor);
    this.map.moved();
  }

  #down(event) {
    this.area.setPointerCapture(event.pointerId);
    const place = this.#place(event);
    this.pointers.set(event.pointerId, place);
    this.isTap = this.pointers.size === 1;
    this.began = place;
    this.area.classList.remove("keys");
    if (this.map.isLasso && this.isTap) this.outline = [place];
    else this.outline = null;
  }

  #move(event) {
    const place = this.#place(event), before = this.pointers.get(event.pointerId);
    if (!before) return this.map.hover(...place);
    if (Math.hypot(place[0] - this.began[0], place[1] - this.began[1]) > SLOP) this.isTap = false;
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    this.pointers.set(event.pointerId, place);
    if (other) return this.#pinch(other, before, place);
    if (this.outline) return this.map.draw((this.outline = [...this.outline, place]));
    if (this.isTap) return undefined;
    this.map.view.pan(place[0] - before[0], place[1] - before[1]);
    return this.map.moved();
  }

  #pinch(other, before, place) {
    const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
    this.map.view.pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
    this.#zoom((other[0] + place[0]) / 2, (other[1] + place[1]) / 2, apart(place) / apart(before));
  }

  #up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const outline = this.outline;
    this.outline = null;
    if (event.type === "pointercancel") this.map.draw(null);
    else if (this.isTap) this.map.choose(...this.#place(event), event.pointerType === "touch");
    else if (outline) this.map.drawn(outline);
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.#zoom(...this.#place(event), Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { view } = this.map, zoom = (factor) => this.#zoom(view.width / 2, view.height / 2, factor);
    const pan = (right, down) => (view.pan(right * STEP, down * STEP), this.map.moved());
    const keys = {
      ArrowLeft: () => pan(1, 0), ArrowRight: () => pan(-1, 0), ArrowUp: () => pan(0, 1), ArrowDown: () => pan(0, -1),
      "+": () => zoom(FACTOR), "=": () => zoom(FACTOR), "-": () => zoom(1 / FACTOR),
      0: () => this.map.fit(),
      Enter: () => this.map.choose(view.width / 2, view.height / 2, true),
    };
    if (!keys[event.key]) return;
    this.area.classList.add("keys"); // shows the middle of the window
    event.preventDefault();
    keys[event.key]();
  }
}
