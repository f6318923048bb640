// <song-why>: asks the engine which parts of the spectrogram a genre's score depends on, and says what the answer is.

import { clock, make } from "./dom.js";
import { extremes, strongest } from "./evidence.js";
import { kindOf } from "./song_facts.js";

const LONGEST = 30, SMALL = 0.01; // seconds that are explained at most; a change of the score that is hardly one

export class SongWhy extends HTMLElement {
  // `owner` has part(): {from, to} in sight, time, show(evidence or null), say(sentence).
  start(owner) {
    this.owner = owner;
    this.button = make("button", { type: "button", className: "ask", onclick: () => this.toggle() });
    this.button.setAttribute("aria-pressed", "false");
    this.choice = make("select", { ariaLabel: "Genre to explain", onchange: () => this.found && this.#ask() });
    this.text = make("p", { className: "small" });
    this.text.setAttribute("role", "status");
    this.append(make("div", { className: "line" }, [this.button, this.choice]), this.text);
    this.hidden = true;
  }

  show(song, engine) {
    const isNew = song !== this.song || song.result !== this.result;
    Object.assign(this, { song, engine, result: song.result });
    this.hidden = !engine.explain || !song.result || kindOf(song) === "silence" || song.seconds === null;
    if (!isNew) return;
    this.#close();
    this.button.textContent = "Why?";
    const names = song.result ? Object.keys(song.result.scores).slice(0, 5) : [];
    this.choice.replaceChildren(...names.map((name) => make("option", { value: name, textContent: name })));
  }

  toggle() {
    if (this.hidden) return;
    if (this.found || this.stop) this.#close();
    else this.#ask();
  }

  #close() {
    this.stop?.abort();
    clearInterval(this.timer);
    Object.assign(this, { found: null, stop: null });
    this.button.setAttribute("aria-pressed", "false");
    this.text.textContent = "";
    this.owner.show(null);
  }

  async #ask() {
    const genre = this.choice.value, { from, to } = this.#part(), stop = new AbortController();
    this.#close();
    this.stop = stop;
    this.button.setAttribute("aria-pressed", "true");
    this.#count(`Hiding parts of ${clock(from)} to ${clock(to)}, and scoring the rest each time`);
    try {
      const found = await this.engine.explain(this.song.file, { genre, start: from, end: to, signal: stop.signal });
      if (!stop.signal.aborted) this.#lay(found);
    } catch (error) {
      if (stop.signal.aborted) return;
      this.#close();
      this.text.textContent = error.message;
    }
  }

  // What is in sight; of a longer part thirty seconds around the playhead, or where the genre's score is highest.
  #part() {
    const { from, to } = this.owner.part();
    if (to - from <= LONGEST) return { from, to };
    const { time } = this.owner, inSight = time > from && time < to;
    const middle = inSight ? time : this.#best(from, to), start = Math.max(from, Math.min(to - LONGEST, middle - LONGEST / 2));
    return { from: start, to: start + LONGEST };
  }

  #best(from, to) {
    const label = this.owner.labels.indexOf(this.choice.value);
    const inside = this.song.windows.filter(({ start, end, silent }) => !silent && start >= from && end <= to);
    const best = inside.reduce((one, other) => (one && one.scores[label] >= other.scores[label] ? one : other), null);
    return best ? (best.start + best.end) / 2 : (from + to) / 2;
  }

  #count(text) {
    const began = performance.now(), say = () => (this.text.textContent = `${text}: ${Math.round((performance.now() - began) / 1000)} s so far.`);
    say();
    this.timer = setInterval(say, 1000);
  }

  #lay(found) {
    clearInterval(this.timer);
    Object.assign(this, { found, stop: null });
    this.owner.show(found);
    this.text.textContent = sentences(found);
  }
}

function sentences(found) {
  const { drop, rise } = extremes(found), part = `From ${clock(found.start)} to ${clock(found.end)}: `;
  const caution = "It shows what the score depends on, not how the model came to it; what stands in two places at once may show in neither.";
  if (Math.max(drop, rise) < SMALL) return `${part}hiding any single part changes the score of ${found.genre} by less than 1 point. ${caution}`;
  const most = strongest(found, 1).map(({ from, to, low, high }) => `, most from ${fine(from)} to ${fine(to)}, ${round(low)} to ${round(high)} Hz`).join("");
  const against = rise >= SMALL ? ` Blue parts speak against it: hiding them raises the score by up to ${points(rise)}.` : "";
  return `${part}hiding the parts that stay clear lowers the score of ${found.genre}, by up to ${points(drop)}${most}.${against} ${caution}`;
}

const fine = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
const points = (share) => `${Math.max(1, Math.round(100 * share))} ${Math.round(100 * share) > 1 ? "points" : "point"}`;
const round = (hertz) => Math.round(hertz / 10) * 10;

customElements.define("song-why", SongWhy);
