// Sound of a browser's stream in blocks of 16-bit samples. Streams can follow one another without a change of rate.

import { release } from "./microphone.js";

export class Capture {
  // onBlock({block, peak, level}); onEnd() once the source has ended by itself, as an input that is unplugged.
  constructor({ onBlock, onEnd }) {
    Object.assign(this, { onBlock, onEnd, stream: null, context: null });
  }

  get rate() {
    return this.context.sampleRate;
  }

  // Make the audio system ready; a stream comes with `take`.
  async begin() {
    const context = new AudioContext();
    this.context = context;
    context.addEventListener("statechange", () => this.stream && context.state !== "closed" && this.#resume());
    await context.audioWorklet.addModule(new URL("./live_worklet.js", import.meta.url));
    if (context.state === "closed") return;
    this.node = new AudioWorkletNode(context, "live", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => this.stream && this.onBlock(data);
  }

  // Capture a stream instead of the one before.
  take(stream) {
    this.#leave();
    if (!this.context || this.context.state === "closed") return release(stream);
    this.stream = stream;
    this.source = this.context.createMediaStreamSource(new MediaStream(stream.getAudioTracks()));
    this.source.connect(this.node);
    for (const track of stream.getTracks()) track.addEventListener("ended", () => stream === this.stream && this.#lost());
    if (this.context.state !== "running") this.#resume();
  }

  // A telephone call, for one, suspends the audio system; it may not be given back yet.
  #resume() {
    this.context.resume().catch(() => {});
  }

  #lost() {
    this.#leave();
    this.onEnd();
  }

  #leave() {
    this.source?.disconnect();
    release(this.stream);
    Object.assign(this, { source: null, stream: null });
  }

  // End at once: nothing is captured any more.
  stop() {
    this.#leave();
    if (this.context && this.context.state !== "closed") this.context.close();
  }
}
