// <correction-bar>: sets the chosen song's genre right, by a press or by the keys that stand on the buttons.

import { dot, make, tinted } from "./dom.js";
import { coloursOf } from "./genre_colours.js";
import { FEW_WINDOWS } from "./session.js";
import { NEGATIVE, labelsOf, titleOf } from "./song_facts.js";

const KEYS = "1234567890";

export class CorrectionBar extends HTMLElement {
  start(session) {
    this.session = session;
    this.name = this.#button("", () => this.#open());
    this.name.classList.add("of");
    this.keys = make("div", { className: "chips" });
    this.keys.setAttribute("role", "group");
    this.others = make("select", { ariaLabel: "Another genre", onchange: () => this.#other() });
    this.again = this.#button("Try again", () => session.retry(session.chosen));
    this.whole = this.#button("Score the whole song", () => session.retry(session.chosen));
    this.back = this.#button("Take back", () => session.correct(session.chosen, null));
    this.append(this.name, this.whole, this.keys, this.others, this.back, this.again);
    for (const name of ["model", "chosen"]) session.addEventListener(name, () => this.#show());
    session.addEventListener("changed", ({ detail }) => detail === session.chosen && this.#show());
    this.#show();
  }

  // Bring the song itself into sight.
  #open() {
    this.dispatchEvent(new CustomEvent("open", { bubbles: true }));
  }

  #button(textContent, onclick) {
    return make("button", { type: "button", className: "quiet", textContent, onclick });
  }

  // The genres that have a key: the model's where there are at most ten, else the song's ten best.
  get labels() {
    const { model, chosen } = this.session, labels = model?.labels ?? [];
    if (labels.length <= KEYS.length || !chosen?.result) return labels.slice(0, KEYS.length);
    const scores = Object.entries(chosen.result.scores).sort(([, one], [, other]) => other - one);
    return scores.slice(0, KEYS.length).map(([label]) => label);
  }

  // Do what a key stands for; whether it stands for anything here.
  press(key) {
    const label = key === "n" ? NEGATIVE : KEYS.includes(key) && this.labels[KEYS.indexOf(key)];
    if (!label || !this.session.chosen) return false;
    this.correct(label);
    return true;
  }

  correct(label) {
    const song = this.session.chosen;
    this.session.correct(song, this.#with(song, label));
    const text = song.corrected === NEGATIVE ? "none of these genres" : (song.corrected ?? "not corrected");
    this.dispatchEvent(new CustomEvent("say", { detail: `${titleOf(song)}: ${text}`, bubbles: true }));
  }

  // Where a song may have several genres, the first press sets one, and each further press adds one or takes it away.
  #with(song, label) {
    if (this.session.model.exclusive !== false || label === NEGATIVE) return label;
    const before = labelsOf(song.corrected).filter((each) => each !== NEGATIVE);
    const now = before.includes(label) ? before.filter((each) => each !== label) : [...before, label];
    return now.length ? now.join("; ") : null;
  }

  #show() {
    const { chosen, model } = this.session;
    this.hidden = !chosen || !model;
    if (this.hidden) return;
    this.name.textContent = titleOf(chosen);
    this.name.title = `Show ${titleOf(chosen)}`;
    this.again.hidden = chosen.state !== "failed";
    this.whole.hidden = !(chosen.quick && chosen.state === "done" && chosen.windows.length >= FEW_WINDOWS);
    this.back.hidden = chosen.corrected === null;
    this.#showKeys();
  }

  #showKeys() {
    const { model, chosen } = this.session, colours = coloursOf(model), set = labelsOf(chosen.corrected);
    const news = JSON.stringify([chosen.id, this.labels, set]);
    if (news === this.shown) return;
    this.shown = news;
    this.keys.setAttribute("aria-label", `Correct the genre of ${titleOf(chosen)}`);
    const held = this.keys.contains(document.activeElement) ? document.activeElement.dataset.label : null;
    const keys = this.labels.map((label, place) => this.#key(KEYS[place], label, label, colours.get(label)));
    this.keys.replaceChildren(...keys, this.#key("n", NEGATIVE, "none of these", null));
    for (const key of this.keys.children) key.setAttribute("aria-pressed", String(set.includes(key.dataset.label)));
    if (held) [...this.keys.children].find((key) => key.dataset.label === held)?.focus();
    this.#showOthers(model.labels.filter((label) => !this.labels.includes(label)));
  }

  #key(key, label, text, genre) {
    const inside = [make("kbd", { textContent: key, ariaHidden: "true" }), ...(genre ? [tinted(dot(genre), genre)] : []), text];
    const made = make("button", { type: "button", onclick: () => this.correct(label) }, inside);
    made.setAttribute("aria-keyshortcuts", key);
    made.dataset.label = label;
    return made;
  }

  #showOthers(labels) {
    const options = ["Another genre", ...labels].map((textContent, place) => make("option", { textContent, value: place ? textContent : "" }));
    this.others.replaceChildren(...options);
    this.others.hidden = !labels.length;
  }

  #other() {
    if (this.others.value) this.correct(this.others.value);
    this.others.value = "";
  }
}

customElements.define("correction-bar", CorrectionBar);
