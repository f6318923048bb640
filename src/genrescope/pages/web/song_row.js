// A row of the table: an element that is filled again whenever its song changes.

import { clock, make, percent, tinted } from "./dom.js";
import { drawStrip } from "./genre_strip.js";
import { isOver } from "./session.js";
import { confidenceOf, folderOf, genreOf, genreText, kindOf, reasons, titleOf } from "./song_facts.js";

const cell = (className, children = []) => {
  const made = make("div", { className }, children);
  made.setAttribute("role", "gridcell");
  return made;
};

export class SongRow {
  constructor(song, { model, colours }) {
    Object.assign(this, { song, model, colours });
    this.title = make("span", { className: "title" });
    this.folder = make("span", { className: "soft second" });
    this.dot = make("i", { className: "dot" });
    this.genre = make("span", {});
    this.mark = make("span", { className: "mark soft" });
    this.bar = make("i", {});
    this.number = make("span", { className: "number" });
    this.strip = make("canvas", { ariaHidden: "true" });
    this.note = cell("note");
    this.element = make("div", { className: "song-row", id: `song-${song.id}` }, [
      cell("what", [this.title, this.folder]), cell("genre", [this.dot, this.genre, this.mark]),
      cell("sure", [make("span", { className: "meter", ariaHidden: "true" }, [this.bar]), this.number]),
      cell("strip", [this.strip]), this.note,
    ]);
    this.element.setAttribute("role", "row");
    this.element.dataset.song = song.id;
    this.fill();
  }

  fill() {
    const { song } = this, kind = kindOf(song), genre = this.colours.get(genreOf(song));
    this.element.dataset.kind = song.corrected ? "corrected" : kind;
    this.title.textContent = titleOf(song);
    this.folder.textContent = [folderOf(song), clock(song.seconds)].filter(Boolean).join(" \u00b7 ");
    this.genre.textContent = genreText(song);
    this.dot.classList.toggle("none", !genre);
    if (genre) for (const part of [this.dot, this.bar]) tinted(part, genre);
    this.mark.textContent = this.#mark(kind);
    this.#fillSure(genre);
    this.note.textContent = this.note.title = song.error ?? reasons(song, this.model).join("; ");
  }

  #mark(kind) {
    const { corrected, result } = this.song;
    if (!corrected) return kind === "unknown" ? `nearest: ${result.genre}` : "";
    return result && corrected === result.genre ? "confirmed" : `corrected${result ? `, was ${result.genre}` : ""}`;
  }

  #fillSure(genre) {
    const { done, total } = this.song.progress, confidence = confidenceOf(this.song);
    const share = isOver(this.song) ? confidence : total ? done / total : 0;
    this.number.textContent = confidence === null ? "" : percent(confidence);
    this.bar.style.width = `${100 * (share ?? 0)}%`;
    this.bar.classList.toggle("plain", !genre);
  }

  // The strip can be drawn only once the row stands in the page.
  draw() {
    drawStrip(this.strip, this.song, this.model?.labels ?? [], this.colours);
  }
}
