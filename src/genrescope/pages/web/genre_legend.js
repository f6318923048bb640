// <genre-legend>: each genre with its colour and number of songs; a press hides it on the map and in the list.

import { dot, make } from "./dom.js";

export class GenreLegend extends HTMLElement {
  start(state) {
    this.state = state;
    const { songs } = state, counts = songs.genres.map(() => 0);
    for (const genre of songs.genre) counts[genre]++;
    this.known = [...counts.keys()].filter((genre) => counts[genre]).sort((one, two) => counts[two] - counts[one]);
    this.buttons = new Map(this.known.map((genre) => [genre, this.#button(genre, counts[genre])]));
    this.append(...this.buttons.values(), this.#whole("All", []), this.#whole("None", this.known));
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", this.getAttribute("label"));
    state.addEventListener("change", () => this.#show());
    this.#show();
  }

  #button(genre, count) {
    const known = this.state.songs.genres[genre];
    const number = make("span", { className: "soft", textContent: count.toLocaleString("en") });
    const button = make("button", { type: "button", className: "genre" }, [dot(known), known.name, " ", number]);
    button.addEventListener("click", () => this.#toggle(genre));
    return button;
  }

  #whole(name, off) {
    return make("button", { type: "button", className: "quiet", textContent: name, onclick: () => this.#set(off) });
  }

  #toggle(genre) {
    const { off } = this.state;
    this.#set(off.has(genre) ? [...off].filter((each) => each !== genre) : [...off, genre]);
  }

  #set(off) {
    this.state.change({ off: new Set(off) });
  }

  #show() {
    for (const [genre, button] of this.buttons) button.setAttribute("aria-pressed", String(!this.state.off.has(genre)));
  }
}

customElements.define("genre-legend", GenreLegend);
