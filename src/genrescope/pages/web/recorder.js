// <song-recorder>: records the microphone to a WAV file, with its level and time. Sends the event "songs" when it ends.

import { clock, make } from "./dom.js";
import { meterWidth, openMicrophone, refusal, release } from "./microphone.js";
import { wavFile } from "./wav.js";

const MOST = 600, LEAST = 1; // seconds of a recording

export class SongRecorder extends HTMLElement {
  connectedCallback() {
    if (this.button) return;
    this.button = make("button", { type: "button", onclick: () => (this.context ? this.finish() : this.begin()) });
    this.level = make("span", { className: "level", ariaHidden: "true" }, [make("i")]);
    this.time = make("span", { className: "time", ariaHidden: "true" });
    this.sentence = make("span", { className: "sentence small" });
    this.sentence.setAttribute("role", "status");
    this.append(this.button, this.level, this.time, this.sentence);
    this.#show(false);
  }

  #show(isOn, sentence = "") {
    this.classList.toggle("on", isOn);
    this.button.textContent = isOn ? "Stop" : "Record";
    this.level.hidden = this.time.hidden = !isOn;
    this.sentence.textContent = sentence;
    this.sentence.hidden = !sentence;
  }

  async begin() {
    this.button.disabled = true;
    try {
      this.stream = await openMicrophone();
      await this.#listen();
      this.#show(true, "");
    } catch (error) {
      this.#release();
      this.#show(false, refusal(error));
    }
    this.button.disabled = false;
  }

  async #listen() {
    this.context = new AudioContext();
    Object.assign(this, { blocks: [], count: 0, peak: 0 });
    await this.context.audioWorklet.addModule(new URL("./recorder_worklet.js", import.meta.url));
    const node = new AudioWorkletNode(this.context, "recording", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => this.#take(data);
    this.context.createMediaStreamSource(this.stream).connect(node);
    for (const track of this.stream.getTracks()) track.addEventListener("ended", () => this.finish());
  }

  #take(block) {
    if (!this.context) return;
    this.blocks.push(block);
    this.count += block.length;
    for (const sample of block) this.peak = Math.max(this.peak, Math.abs(sample));
    this.drawn ??= requestAnimationFrame(() => this.#meter());
    if (this.count >= MOST * this.context.sampleRate) this.finish();
  }

  // The level falls slowly, 60 dB over the width of the meter.
  #meter() {
    this.drawn = null;
    if (!this.context) return;
    this.level.firstChild.style.width = `${meterWidth(this.peak)}%`;
    this.time.textContent = clock(Math.floor(this.count / this.context.sampleRate));
    this.peak *= 0.9;
  }

  finish() {
    if (!this.context) return;
    const { blocks, count } = this, rate = this.context.sampleRate, samples = new Float32Array(count);
    this.#release();
    let at = 0;
    for (const block of blocks) samples.set(block, at), (at += block.length);
    if (count < LEAST * rate) return this.#show(false, "That was shorter than a second. Record a little longer.");
    this.#show(false, "");
    const file = wavFile(samples, rate, `recording ${new Date().toTimeString().slice(0, 8).replaceAll(":", ".")}.wav`);
    this.dispatchEvent(new CustomEvent("songs", { detail: { files: [file] }, bubbles: true }));
  }

  #release() {
    release(this.stream);
    this.context?.close();
    Object.assign(this, { stream: null, context: null, blocks: [] });
  }
}

customElements.define("song-recorder", SongRecorder);
