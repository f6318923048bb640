// Plays one file: a time that is exact to the frame, and a loop.

export class Player extends EventTarget {
  constructor() {
    super();
    this.audio = new Audio();
    this.audio.preload = "auto";
    Object.assign(this, { loop: null, canPlay: false, address: null });
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, () => this.#state());
    this.audio.addEventListener("loadedmetadata", () => this.#know(true));
    this.audio.addEventListener("error", () => this.audio.getAttribute("src") && this.#know(false));
    this.audio.addEventListener("seeked", () => this.#tell("time"));
  }

  load(file) {
    this.unload();
    this.address = URL.createObjectURL(file);
    this.audio.src = this.address;
  }

  unload() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    if (this.address) URL.revokeObjectURL(this.address);
    Object.assign(this, { address: null, canPlay: false, loop: null });
  }

  get time() {
    return this.audio.currentTime || 0;
  }

  get seconds() {
    return Number.isFinite(this.audio.duration) ? this.audio.duration : null;
  }

  get isPlaying() {
    return !this.audio.paused && !this.audio.ended;
  }

  seek(time) {
    if (this.canPlay) this.audio.currentTime = time;
    this.#tell("time");
  }

  async toggle() {
    if (this.isPlaying) return this.audio.pause();
    const { loop } = this;
    if (loop && (this.time < loop.from || this.time >= loop.to)) this.seek(loop.from);
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name !== "AbortError") this.#know(false); // another song came in between
    }
  }

  #state() {
    if (this.audio.ended && this.loop) return void this.#again();
    this.#tell("state");
    if (this.isPlaying) this.#run();
  }

  // A loop that reaches to the end of the song.
  #again() {
    this.audio.currentTime = this.loop.from;
    this.audio.play();
  }

  #run() {
    cancelAnimationFrame(this.frame);
    if (!this.isPlaying) return;
    if (this.loop && this.time >= this.loop.to) this.audio.currentTime = this.loop.from;
    this.#tell("time");
    this.frame = requestAnimationFrame(() => this.#run());
  }

  #know(canPlay) {
    this.canPlay = canPlay;
    this.#tell("state");
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}
