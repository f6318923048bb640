// <library-panel>: the library that the service was started on. Its songs by search, and those like one of them.

import { coloursOf } from "./genre_colours.js";
import { clock, counted, dot, make, percent } from "./dom.js";

const AT_ONCE = 20, PAUSE = 200; // songs a page; milliseconds after the last letter

export class LibraryPanel extends HTMLElement {
  set session(session) {
    this.songs = session;
    session.addEventListener("model", () => this.#open());
    if (session.model) this.#open();
  }

  #open() {
    if (!this.songs.model.library || !this.songs.engine.librarySongs) return;
    this.hidden = false;
    this.query = make("input", { type: "search", placeholder: "Title, artist, album", ariaLabel: "Search the library", oninput: () => this.#soon() });
    this.query.autocomplete = "off";
    this.status = make("span", { className: "soft" });
    this.status.setAttribute("role", "status");
    this.list = make("ul", { className: "library-songs" });
    this.more = make("button", { type: "button", textContent: "More", hidden: true, onclick: () => this.#search(this.list.children.length) });
    const map = make("a", { href: "map", textContent: "Map of the library" });
    const line = make("div", { className: "line" }, [this.query, this.status, map]);
    const details = make("details", { ontoggle: () => details.open && !this.list.children.length && this.#search(0) }, [
      make("summary", { textContent: "Library" }), line, this.list, this.more,
    ]);
    this.replaceChildren(details);
  }

  #soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#search(0), PAUSE);
  }

  // An answer that a later question has overtaken is not shown.
  async #asked(question, does) {
    const asking = (this.asking = {});
    try {
      const answer = await question;
      if (asking === this.asking) does(answer);
    } catch (error) {
      this.status.textContent = error.message;
    }
  }

  #search(offset) {
    const search = this.query.value.trim();
    return this.#asked(this.songs.engine.librarySongs({ search, limit: AT_ONCE, offset }), ({ songs, total }) => {
      this.#show(songs, offset);
      this.status.textContent = counted(total, "song", "songs");
      this.more.hidden = this.list.children.length >= total;
    });
  }

  #alike(song) {
    return this.#asked(this.songs.engine.similar(song.id), ({ songs }) => {
      this.#show(songs.map(({ song: each, similarity }) => ({ ...each, similarity })), 0);
      this.status.textContent = `Songs like ${song.title}`;
      this.more.hidden = true;
    });
  }

  #show(songs, offset) {
    if (!offset) this.list.replaceChildren();
    this.list.append(...songs.map((song) => this.#row(song)));
  }

  #row(song) {
    const genre = coloursOf(this.songs.model).get(song.genre);
    const by = [song.artist, song.album, clock(song.seconds)].filter(Boolean).join(" \u00b7 ");
    return make("li", {}, [
      make("span", { className: "what" }, [make("span", { className: "title", textContent: song.title }), make("span", { className: "soft second", textContent: by })]),
      make("span", { className: "genre" }, [...(genre ? [dot(genre)] : []), song.genre ?? ""]),
      make("span", { className: "soft number", textContent: percentOf(song) }),
      make("button", { type: "button", className: "quiet", textContent: "Similar", ariaLabel: `Songs like ${song.title}`, onclick: () => this.#alike(song) }),
    ]);
  }
}

function percentOf({ similarity, confidence }) {
  return [similarity, confidence].filter(Number.isFinite).slice(0, 1).map(percent).join("");
}

customElements.define("library-panel", LibraryPanel);
