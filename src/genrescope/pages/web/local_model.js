// A model in onnxruntime-web: front end, network and pooling, each a graph of its own. Runs in a Web Worker.

import * as ort from "../ort/ort.js";

const PARTS = ["front_end", "network", "pooling"];

export class LocalModel {
  constructor(facts, parts) {
    Object.assign(this, { facts, parts, last: Promise.resolve() });
  }

  // Run a part; the runtime does one thing at a time.
  async #run(part, inputs) {
    const turn = this.last.then(() => this.parts[part].run(inputs));
    this.last = turn.catch(() => {});
    return turn;
  }

  // Load the runtime and the parts of the model that lie beside the page.
  static async load(facts, base) {
    ort.env.wasm.numThreads = 1; // more need headers that a folder of files cannot send
    ort.env.wasm.wasmBinary = await unpacked(new URL("../ort/ort.bin", base));
    const sessions = PARTS.map(async (name) => [name, await session(new URL(`../model/${name}.onnx`, base))]);
    return new LocalModel(facts, Object.fromEntries(await Promise.all(sessions)));
  }

  // One window from the samples under it: {image, silent}; `remaining` frames of the song from its first one on.
  async window(samples, remaining) {
    const { image, silent } = await this.#run("front_end", {
      samples: new ort.Tensor("float32", samples, [samples.length]),
      remaining: new ort.Tensor("int64", BigInt64Array.of(BigInt(remaining)), [1]),
    });
    return { image: image.data, silent: silent.data[0] === 1 };
  }

  // The logits of one window.
  async logits(image) {
    const { features, length } = this.facts.local.windows;
    const { logits } = await this.#run("network", { window: new ort.Tensor("float32", image, [1, 1, features, length]) });
    return logits.data;
  }

  // The scores of a song from the logits of its windows: {scores, windowScores, tags, unknown}.
  async pooled(rows, silent) {
    const width = rows[0].length, all = new Float32Array(rows.length * width);
    rows.forEach((row, place) => all.set(row, place * width));
    const found = await this.#run("pooling", {
      logits: new ort.Tensor("float32", all, [rows.length, width]),
      silent: new ort.Tensor("bool", Uint8Array.from(silent), [silent.length]),
    });
    const scores = [...found.scores.data], labels = scores.length, each = found.window_scores.data;
    return {
      scores,
      windowScores: rows.map((_, place) => [...each.slice(place * labels, (place + 1) * labels)]),
      tags: found.tags ? [...found.tags.data] : [],
      unknown: found.unknown ? found.unknown.data[0] === 1 : false,
    };
  }
}

async function session(address) {
  return ort.InferenceSession.create(new Uint8Array(await bytes(address)), { executionProviders: ["wasm"] });
}

// The runtime lies packed (gzip) in the folder; a server may have unpacked it on the way.
async function unpacked(address) {
  const found = await bytes(address);
  if (new Uint8Array(found, 0, 1)[0] !== 0x1f) return found;
  return new Response(new Blob([found]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function bytes(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address.pathname} could not be loaded (${answer.status}).`);
  return answer.arrayBuffer();
}
