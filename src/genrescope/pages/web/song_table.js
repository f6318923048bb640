// <song-table>: all songs of the session as rows.

import { dot, make, percent } from "./dom.js";
import { coloursOf } from "./genre_colours.js";

export class SongTable extends HTMLElement {
  set session(session) {
    this.shown = session;
    for (const name of ["added", "removed", "changed", "chosen", "model"]) session.addEventListener(name, () => this.#draw());
    this.#draw();
  }

  #draw() {
    const { songs, chosen, model } = this.shown, colours = coloursOf(model);
    this.replaceChildren(...songs.map((song) => {
      const { result, error } = song, genre = colours.get(song.corrected ?? result?.genre);
      const said = error ?? (result ? percent(result.confidence) : song.state);
      const row = make("button", { type: "button", onclick: () => this.shown.choose(song) }, [
        song.name, " ", ...(genre ? [dot(genre), genre.name, " "] : []), said,
      ]);
      row.setAttribute("aria-pressed", String(song === chosen));
      return row;
    }));
  }
}

customElements.define("song-table", SongTable);
