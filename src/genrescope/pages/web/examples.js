// <song-examples>: three short made-up pieces to try at once. Sends the event "songs" with the one that was chosen.

import { make } from "./dom.js";
import { beat, RATE, riff, strings } from "./synth.js";
import { wavFile } from "./wav.js";

const PIECES = { beat: ["Beat", beat], strings: ["Strings", strings], riff: ["Riff", riff] };

export class SongExamples extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    const buttons = Object.keys(PIECES).map((name) => make("button", { type: "button", textContent: PIECES[name][0], onclick: () => this.#give(name) }));
    this.append(make("p", { className: "soft small", textContent: "Or try a made-up example, computed on this page:" }), make("p", { className: "ways" }, buttons));
  }

  #give(name) {
    const file = wavFile(PIECES[name][1](), RATE, `made-up ${name}.wav`);
    this.dispatchEvent(new CustomEvent("songs", { detail: { files: [new File([file], file.name, { type: file.type, lastModified: 0 })] }, bubbles: true }));
  }
}

customElements.define("song-examples", SongExamples);
