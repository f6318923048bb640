// The engine of the static page: songs are decoded by the browser and classified in a Web Worker; nothing is uploaded.

import { rateOf } from "./file_rate.js";

const BLOCK = 1 << 19; // samples that go to the worker at once
const BANDS = 8, SPAN = 0.75, PART = 30; // what is hidden for the evidence, and the longest part, in seconds

export class LocalEngine extends EventTarget {
  place = "device";
  speed = 0; // seconds of music that are decoded and scored in a second
  patience = 40; // seconds that the evidence for a part of 30 s may take

  // `base` is the address of a module of the page.
  constructor(base = import.meta.url) {
    super();
    Object.assign(this, { base, jobs: new Map(), next: 1 });
  }

  async model() {
    this.facts ??= this.#load();
    return this.facts;
  }

  // Classify a file; `onEvent` is told of the windows as they are scored.
  async predict(file, { signal, onEvent = () => {} } = {}) {
    await this.model();
    onEvent({ event: "decoding" });
    const begun = performance.now(), sound = await decoded(file);
    signal?.throwIfAborted();
    const id = this.next++;
    signal?.addEventListener("abort", () => this.#stop(id), { once: true });
    const { rate, samples } = sound;
    return this.#ask(id, { song: { id, name: file.name, rate, samples } }, { sound, begun, onEvent });
  }

  // Null where hiding each part of the spectrogram in turn would take too long on this machine, or is not known yet.
  get explain() {
    if (!this.window) return null;
    const runs = BANDS * (PART / SPAN + PART / this.window.seconds);
    return runs * this.window.spent > this.patience ? null : (file, wanted) => this.#explain(file, wanted);
  }

  async #explain(file, { genre, start, end, signal }) {
    const sound = await decoded(file);
    signal?.throwIfAborted();
    const id = this.next++;
    signal?.addEventListener("abort", () => this.#stop(id), { once: true });
    const samples = mono(sound.buffer, Math.round(start * sound.rate), Math.round(end * sound.rate));
    return this.#ask(id, { explain: { id, genre, start, rate: sound.rate, samples } }, {});
  }

  async #load() {
    const answer = await fetch(new URL("../model/model.json", this.base));
    if (!answer.ok) throw new Error(`The model could not be loaded (${answer.status}).`);
    const facts = await answer.json();
    this.worker = new Worker(new URL("./local_worker.js", this.base), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#hear(data);
    this.worker.onerror = (event) => this.#fail(event.message || "The worker of this page could not be started.");
    this.window = { seconds: facts.window_seconds, spent: await this.#ask(null, { load: facts }, {}) };
    return facts;
  }

  #ask(id, message, fields) {
    return new Promise((resolve, reject) => {
      this.jobs.set(id, { resolve, reject, at: 0, ...fields });
      this.worker.postMessage(message);
    });
  }

  #hear({ ready, more, windows, result, explained, failed, ...data }) {
    if (ready) this.#end(null, { of: ready });
    else if (more) this.#send(more);
    else if (windows) this.#scored(windows, data);
    else if (result ?? explained) this.#end(result ?? explained, data);
    else if (failed !== undefined) this.#end(failed, data);
  }

  #end(id, { error, of }) {
    const job = this.jobs.get(id);
    this.jobs.delete(id);
    if (error) job?.reject(new Error(error));
    else job?.resolve(of);
  }

  #stop(id) {
    this.worker.postMessage({ stop: id });
    const job = this.jobs.get(id);
    this.jobs.delete(id);
    job?.reject(new DOMException("stopped", "AbortError"));
  }

  #fail(error) {
    for (const id of [...this.jobs.keys()]) this.#end(id, { error });
  }

  #send(id) {
    const job = this.jobs.get(id);
    if (!job) return;
    const samples = mono(job.sound.buffer, job.at, job.at + BLOCK);
    job.at += samples.length;
    this.worker.postMessage({ id, samples }, [samples.buffer]);
  }

  #scored(id, { seconds, from, of }) {
    const job = this.jobs.get(id);
    if (!job) return;
    this.speed = of.at(-1).end / ((performance.now() - job.begun) / 1000);
    job.onEvent({ event: "windows", seconds, from, windows: of });
    this.dispatchEvent(new CustomEvent("speed", { detail: this.speed }));
  }
}

// Decode a file at its own rate, so that the browser does not resample it: {buffer, rate, samples}.
async function decoded(file) {
  let bytes;
  try {
    bytes = await file.arrayBuffer();
  } catch {
    throw new Error(`${file.name}: the file cannot be read. It may have been moved, renamed or deleted.`);
  }
  if (bytes.byteLength === 0) throw new Error(`${file.name}: the file is empty.`);
  const rate = rateOf(bytes);
  try {
    const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
    return { buffer, rate, samples: buffer.length };
  } catch {
    throw new Error(`${file.name}: this browser cannot decode it. Convert it to mp3, flac, ogg or wav.`);
  }
}

// The mean of the channels, from one sample to another.
function mono(buffer, first, last) {
  const found = buffer.getChannelData(0).slice(first, last), channels = buffer.numberOfChannels;
  for (let channel = 1; channel < channels; channel++) {
    const other = buffer.getChannelData(channel).subarray(first, last);
    for (let at = 0; at < found.length; at++) found[at] += other[at];
  }
  if (channels > 1) for (let at = 0; at < found.length; at++) found[at] /= channels;
  return found;
}
