// Where the sound of the live view comes from: a microphone or line input, or a tab. An input that is unplugged is opened
// again, after growing waits; a tab that is shared no longer is the end.

import { Capture } from "./live_capture.js";
import { openMicrophone, openTab, release } from "./microphone.js";

const FIRST_WAIT = 1, LONGEST_WAIT = 60; // seconds
const KEPT = "live-input"; // the chosen input, for the next time

export class LiveInput {
  // onBlock({block, peak, level}); onLost(seconds until the next try), then onBack(); onEnd().
  constructor({ onBlock, onLost, onBack, onEnd }) {
    Object.assign(this, { onLost, onBack, onEnd, isStopped: false, isLost: false });
    this.capture = new Capture({ onBlock, onEnd: () => this.#ended() });
  }

  get rate() {
    return this.capture.rate;
  }

  // The input that is in use.
  get id() {
    return this.capture.stream?.getAudioTracks()[0].getSettings().deviceId ?? "";
  }

  async begin(isTab) {
    this.isTab = isTab;
    const stream = await (isTab ? openTab() : openMicrophone(kept()));
    try {
      if (!this.isStopped) await this.capture.begin();
    } catch (error) {
      release(stream);
      throw error;
    }
    this.#take(stream);
  }

  async choose(id) {
    keep(id);
    clearTimeout(this.timer);
    this.#take(await openMicrophone(id));
  }

  #take(stream) {
    if (this.isStopped) return release(stream);
    this.wait = FIRST_WAIT;
    this.capture.take(stream);
    if (!this.isLost) return;
    this.isLost = false;
    this.onBack();
  }

  #ended() {
    if (this.isTab) this.onEnd();
    else this.#later();
  }

  #later() {
    this.isLost = true;
    this.onLost(this.wait);
    this.timer = setTimeout(() => this.#again(), 1000 * this.wait);
    this.wait = Math.min(LONGEST_WAIT, 2 * this.wait);
  }

  async #again() {
    try {
      this.#take(await openMicrophone(kept()));
    } catch {
      if (!this.isStopped) this.#later();
    }
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.capture.stop();
  }
}

function kept() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

function keep(id) {
  try {
    localStorage.setItem(KEPT, id);
  } catch {
    // a browser that keeps nothing: the next time begins with the default input
  }
}
