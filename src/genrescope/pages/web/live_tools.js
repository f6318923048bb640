// <live-tools>: above the live view. How long it has run, the input, its level, full screen, and the end.

import { duration, make } from "./dom.js";
import { inputs, meterWidth } from "./microphone.js";

const FALL = 0.9; // of the level from one picture to the next

export class LiveTools extends HTMLElement {
  connectedCallback() {
    if (this.stop) return;
    this.elapsed = make("span", { className: "elapsed" });
    this.input = make("select", { ariaLabel: "Input", hidden: true, onchange: () => this.#tell("choose", this.input.value) });
    this.level = make("span", { className: "level", ariaHidden: "true" }, [make("i")]);
    this.full = make("button", { type: "button", textContent: "Full screen", onclick: () => this.#tell("full") });
    this.full.setAttribute("aria-keyshortcuts", "f");
    this.stop = make("button", { type: "button", textContent: "Stop", className: "stop", onclick: () => this.#tell("stop") });
    this.append(make("h2", { className: "on-air" }, [make("i", { ariaHidden: "true" }), "Live"]), this.elapsed, this.level, this.input);
    this.append(make("span", { className: "ways" }, [this.full, this.stop]));
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.source && this.list(this.source));
    this.setLevel(0);
  }

  // List the inputs, where there are several to choose from.
  async list(source) {
    this.source = source;
    const found = source.isTab ? [] : await inputs();
    if (source !== this.source) return;
    this.input.replaceChildren(...found.map(({ id, name }) => make("option", { value: id, textContent: name })));
    this.input.value = source.id;
    this.input.hidden = found.length < 2;
  }

  tick(seconds) {
    this.elapsed.textContent = duration(seconds);
  }

  setLevel(peak) {
    this.peak = Math.max(this.peak ?? 0, peak);
    this.drawn ??= requestAnimationFrame(() => this.#meter());
  }

  #meter() {
    this.drawn = null;
    this.level.firstChild.style.width = `${meterWidth(this.peak)}%`;
    this.peak *= FALL;
    if (this.peak > 1e-3) this.setLevel(0);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("live-tools", LiveTools);
