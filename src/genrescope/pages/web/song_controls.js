// <song-controls>: play, position, loop and zoom of the song in view, and what the scores say at a moment.

import { clock, dot, make, percent } from "./dom.js";

const SHOWN = 3;

export class SongControls extends HTMLElement {
  // `owner` has command(name).
  start(owner) {
    const button = (name, text, label = text) => make("button", { type: "button", className: name, textContent: text, ariaLabel: label, title: label, onclick: () => owner.command(name) });
    this.play = button("play", "", "Play");
    this.position = make("span", { className: "position" });
    this.readout = make("p", { className: "readout small" });
    this.loop = button("loop", "Loop", "Loop a part: drag on the ruler to choose it");
    this.fold = button("fold", "Spectrogram", "Spectrogram");
    this.zooms = [button("closer", "+", "Zoom in"), button("wider", "\u2212", "Zoom out"), button("whole", "Whole", "Whole song")];
    this.append(this.play, this.position, this.readout, make("div", { className: "tools" }, [this.loop, this.fold, ...this.zooms]));
  }

  setPosition(time, seconds) {
    const text = `${clock(time) || "0:00"} / ${seconds ? clock(seconds) : "\u2013:\u2013\u2013"}`;
    if (this.position.textContent !== text) this.position.textContent = text;
  }

  setState({ isPlaying, canPlay, isLooped, isFolded, isWhole }) {
    this.play.classList.toggle("on", isPlaying);
    this.play.ariaLabel = this.play.title = isPlaying ? "Pause" : "Play";
    this.play.disabled = !canPlay;
    this.loop.setAttribute("aria-pressed", String(isLooped));
    this.fold.setAttribute("aria-pressed", String(!isFolded));
    this.zooms[1].disabled = this.zooms[2].disabled = isWhole;
  }

  // Scores at a moment: pairs of a genre and a share, or why there are none.
  setReadout(time, scores, colours) {
    const text = `${time === null ? "" : clock(time)}${scores.map(([name, share]) => `${name}${percent(share)}`).join("")}`;
    if (text === this.said) return;
    this.said = text;
    const parts = scores.slice(0, SHOWN).map(([name, share]) => make("span", {}, [...(colours.has(name) ? [dot(colours.get(name))] : []), share === null ? name : `${name} ${percent(share)}`]));
    this.readout.replaceChildren(...(time === null ? [] : [make("span", { className: "soft", textContent: clock(time) })]), ...parts);
  }
}

customElements.define("song-controls", SongControls);
