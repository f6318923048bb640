// Keeps the screen on, where the browser can. A lock ends when the page is out of sight, and is taken again after that.

export class WakeLock {
  constructor() {
    document.addEventListener("visibilitychange", () => this.isWanted && this.#take());
  }

  on() {
    this.isWanted = true;
    this.#take();
  }

  off() {
    this.isWanted = false;
    this.lock?.release();
    this.lock = null;
  }

  async #take() {
    if (document.visibilityState !== "visible") return;
    try {
      const lock = await navigator.wakeLock?.request("screen");
      if (this.isWanted) this.lock = lock;
      else lock?.release();
    } catch {
      this.lock = null; // a battery that is low, or a browser that may not: the screen goes off as ever
    }
  }
}
