// An element on the full screen; there its tools fade once nobody has moved for some seconds.

const REST = 3000; // milliseconds

export class FullScreen {
  // `onChange(isFull)`.
  constructor(element, onChange) {
    this.element = element;
    document.addEventListener("fullscreenchange", () => (this.#stir(), onChange(this.isOn)));
    for (const name of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(name, () => this.#stir());
  }

  get isPossible() {
    return Boolean(document.fullscreenEnabled);
  }

  get isOn() {
    return document.fullscreenElement === this.element;
  }

  toggle() {
    if (this.isOn) this.leave();
    else this.element.requestFullscreen?.().catch(() => {}); // the browser may want a press of its own
  }

  leave() {
    if (this.isOn) document.exitFullscreen();
  }

  #stir() {
    clearTimeout(this.timer);
    this.element.classList.remove("resting");
    if (this.isOn) this.timer = setTimeout(() => this.element.classList.add("resting"), REST);
  }
}
