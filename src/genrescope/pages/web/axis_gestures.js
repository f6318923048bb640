// Mouse, touch and keys on the layers: a press or a drag seeks, the ruler or Shift selects a loop, wheel and two fingers zoom.

const SLOP = 4, EDGE = 8, FACTOR = 1.5; // CSS pixels that are no drag, around the end of a loop; a key's zoom

export class AxisGestures {
  // `owner` has axis, time, seek(time), scrub(isOn), hover(time or null), command(key).
  constructor(owner, area, isRuler) {
    Object.assign(this, { owner, area, isRuler, pointers: new Map(), drag: null });
    const listen = (name, handler, options) => area.addEventListener(name, handler, options);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) listen(name, (event) => this.#up(event));
    listen("pointerleave", () => owner.hover(null));
    listen("wheel", (event) => this.#wheel(event), { passive: false });
    listen("keydown", (event) => this.press(event, () => true));
  }

  #x(event) {
    return event.clientX - this.area.getBoundingClientRect().left;
  }

  #down(event) {
    if (event.button || !this.owner.axis.seconds) return;
    const x = this.#x(event);
    this.area.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, x);
    if (this.pointers.size > 1) return void (this.drag = { kind: "pinch" });
    this.drag = this.#begun(event, x);
    if (this.drag.kind === "seek") this.#seek(x);
  }

  #begun(event, x) {
    const { axis } = this.owner, { loop } = axis, near = (time) => Math.abs(axis.x(time) - x) <= EDGE;
    const inRuler = this.isRuler(event);
    if (loop && inRuler && near(loop.from)) return { kind: "loop", anchor: loop.to };
    if (loop && inRuler && near(loop.to)) return { kind: "loop", anchor: loop.from };
    return { kind: inRuler || event.shiftKey ? "loop" : "seek", anchor: axis.time(x), began: x };
  }

  #seek(x) {
    this.owner.scrub(true);
    this.owner.seek(this.owner.axis.time(x));
  }

  #move(event) {
    const x = this.#x(event), before = this.pointers.get(event.pointerId), { owner, drag } = this;
    owner.hover(event.pointerType === "touch" ? null : owner.axis.time(x));
    if (before === undefined || !drag) return;
    this.pointers.set(event.pointerId, x);
    if (drag.kind === "pinch") this.#pinch(event.pointerId, before, x);
    else if (drag.kind === "seek") this.#seek(x);
    else if (Math.abs(x - (drag.began ?? -1e9)) > SLOP) owner.axis.setLoop(drag.anchor, owner.axis.time(x)), (drag.began = undefined);
  }

  #pinch(id, before, x) {
    const [other] = [...this.pointers].filter(([each]) => each !== id).map(([, at]) => at), { axis } = this.owner;
    if (other === undefined) return;
    const apart = (at) => Math.max(16, Math.abs(at - other));
    axis.pan(((before - x) / 2 / axis.width) * axis.span);
    axis.zoom(apart(x) / apart(before), axis.time((x + other) / 2));
  }

  #up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { drag, owner } = this;
    if (drag?.kind === "loop" && drag.began !== undefined && event.type === "pointerup") this.#tapped(drag.anchor);
    if (!this.pointers.size) this.drag = null;
    owner.scrub(false);
  }

  // A press on the ruler goes there; outside of a loop it ends the loop.
  #tapped(time) {
    const { loop } = this.owner.axis;
    if (loop && (time < loop.from || time > loop.to)) this.owner.axis.clearLoop();
    this.owner.seek(time);
  }

  // The wheel zooms with Ctrl, and moves sideways; up and down it scrolls the page as ever.
  #wheel(event) {
    const { axis } = this.owner, lines = event.deltaMode === 1 ? 16 : 1;
    if (event.ctrlKey) axis.zoom(Math.exp(-event.deltaY * lines * 0.005), axis.time(this.#x(event)));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      if (axis.isWhole) return;
      axis.pan((((event.deltaX || event.deltaY) * lines) / axis.width) * axis.span);
    } else return;
    event.preventDefault();
  }

  // Do what a key says, of those that `may` lets pass.
  press(event, may) {
    if (event.ctrlKey || event.metaKey || event.altKey || !may(event.key)) return;
    const { owner } = this, { axis } = owner, by = (seconds) => owner.seek(axis.hold(owner.time + seconds));
    const step = event.shiftKey ? 1 : 5;
    const keys = {
      ArrowLeft: () => by(-step), ArrowRight: () => by(step), ArrowDown: () => by(-step), ArrowUp: () => by(step),
      PageUp: () => by(30), PageDown: () => by(-30), Home: () => owner.seek(0), End: () => owner.seek(axis.seconds),
      "+": () => axis.zoom(FACTOR, owner.time), "=": () => axis.zoom(FACTOR, owner.time), "-": () => axis.zoom(1 / FACTOR, owner.time),
      f: () => axis.whole(),
      l: () => owner.command("loop"), w: () => owner.command("why"), " ": () => owner.command("play"), Enter: () => owner.command("play"),
      Escape: () => axis.clearLoop(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}
