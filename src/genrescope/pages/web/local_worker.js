// The worker of the page that classifies songs by itself: samples in, windows with their scores out.
//
// Messages to it: {load: facts}; {song: {id, name, rate, samples}}; {samples, id} (Float32Array, mono, at the file's
// rate) whenever it asked with {more: id}; {stop: id}; {explain: {...}}. Messages from it: {ready: seconds a window}; {more: id};
// {windows: id, seconds, from, of}; {result: id, of}; {explained: id, of}; {failed: id, error}.

import { explain } from "./local_explain.js";
import { LocalModel } from "./local_model.js";
import { resultOf } from "./local_result.js";
import { Resampler } from "./resampler.js";
import { framesOf, SampleWindow, startsOf } from "./window_plan.js";

let model = null;
const songs = new Map();
const stopped = new Set(); // explanations that nobody waits for any more

self.onmessage = async ({ data }) => {
  const id = data.id ?? data.song?.id ?? data.explain?.id ?? null;
  try {
    if (data.load) await load(data.load);
    else if (data.song) songs.set(id, new Song(data.song)).get(id).ask();
    else if (data.samples) await songs.get(id)?.take(data.samples);
    else if (data.explain) await answer(data.explain);
    else if (data.stop) stop(data.stop);
  } catch (error) {
    songs.delete(id);
    postMessage({ failed: id, error: error.message });
  }
};

async function answer(wanted) {
  const of = await explain(model, wanted, () => stopped.has(wanted.id));
  if (!stopped.delete(wanted.id)) postMessage({ explained: wanted.id, of });
}

function stop(id) {
  if (!songs.delete(id)) stopped.add(id);
}

async function load(facts) {
  model = await LocalModel.load(facts, import.meta.url);
  await windowSeconds(); // the first one takes longer
  postMessage({ ready: await windowSeconds() });
}

// How long a window takes, in seconds.
async function windowSeconds() {
  const begun = performance.now();
  const { image } = await model.window(new Float32Array(model.facts.local.front.samples), 1);
  await model.logits(image);
  return (performance.now() - begun) / 1000;
}

class Song {
  constructor({ id, name, rate, samples }) {
    const { front, windows } = model.facts.local;
    this.resampler = new Resampler(rate, model.facts.sample_rate);
    this.samples = Math.round((samples * this.resampler.up) / this.resampler.down);
    this.frames = framesOf(front, this.samples);
    this.starts = startsOf(this.frames, windows);
    this.waiting = new SampleWindow(front);
    Object.assign(this, { id, name, left: samples, rows: [], silent: [], windows: [] });
  }

  get seconds() {
    return this.samples / model.facts.sample_rate;
  }

  ask() {
    if (songs.has(this.id)) postMessage({ more: this.id });
  }

  async take(piece) {
    this.waiting.push(this.resampler.push(piece));
    this.left -= piece.length;
    if (this.left <= 0) {
      this.waiting.push(this.resampler.end());
      this.waiting.ended = true;
    }
    await this.#score();
    if (!this.waiting.ended) this.ask();
    else if (songs.delete(this.id)) await this.#finish();
  }

  // Score the windows whose samples are there.
  async #score() {
    for (let samples; this.rows.length < this.starts.length && songs.has(this.id); ) {
      const start = this.starts[this.rows.length];
      if (!(samples = this.waiting.under(start))) return;
      const { image, silent } = await model.window(samples, this.frames - start);
      const row = await model.logits(image);
      const { windowScores } = await model.pooled([row], [silent]);
      this.#tell(start, windowScores[0], silent);
      this.rows.push(row);
      this.silent.push(silent);
      await new Promise((resolve) => setTimeout(resolve)); // so that a message to stop is received
    }
  }

  #tell(start, scores, silent) {
    const { front, windows } = model.facts.local;
    const begin = start * front.frame_seconds;
    const end = Math.min((start + windows.length) * front.frame_seconds, this.seconds);
    const window = { start: begin, end, scores, silent };
    postMessage({ windows: this.id, seconds: this.seconds, from: this.windows.length, of: [window] });
    this.windows.push(window);
  }

  async #finish() {
    const pooled = await model.pooled(this.rows, this.silent);
    postMessage({ result: this.id, of: resultOf(this.name, model.facts, this.windows, pooled, this.seconds) });
  }
}
