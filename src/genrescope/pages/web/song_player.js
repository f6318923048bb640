// <song-player>: the chosen song with its genres, why to doubt it, and a player for the local file.

import { dot, make, percent, tinted } from "./dom.js";
import { CORRECTED, DUPLICATE, TAG_DIFFERS, UNKNOWN } from "./packed.js";
import { addresses, hasFolders, reason } from "./sources.js";

export class SongPlayer extends HTMLElement {
  start(state, say) {
    Object.assign(this, { state, say, songs: state.songs, rest: [] });
    this.audio = make("audio", { controls: true, preload: "none", hidden: !hasFolders(this.songs) });
    this.audio.addEventListener("error", () => this.#failed());
    this.about = make("div", { className: "about" });
    this.note = make("p", { className: "note", hidden: true });
    const buttons = [["Songs like this", "alike"], ["Close", "close"]].map(([textContent, name]) =>
      make("button", { type: "button", textContent, onclick: () => this.#ask(name) }),
    );
    this.append(this.about, this.audio, this.note, make("div", { className: "buttons" }, buttons));
    this.hidden = true;
    state.addEventListener("change", (event) => event.detail.changed.includes("chosen") && this.#show());
  }

  #ask(name) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true }));
  }

  #show() {
    const song = this.state.chosen;
    this.hidden = song < 0;
    if (song < 0 || song === this.song) return;
    this.song = song;
    this.audio.pause();
    this.rest = addresses(this.songs, song);
    this.#next();
    this.#note("");
    this.about.replaceChildren(...this.#facts(song));
  }

  #next() {
    const address = this.rest.shift();
    if (address) this.audio.src = address;
    return Boolean(address);
  }

  #facts(song) {
    const { songs } = this;
    const scores = songs.scores(song).map(([genre, score]) => {
      const bar = make("span", { className: "bar", ariaHidden: "true" }, [tinted(make("i"), genre)]);
      bar.firstChild.style.width = `${100 * score}%`;
      return make("li", {}, [make("span", {}, [dot(genre), genre.name]), bar, percent(score)]);
    });
    const by = [songs.artistOf(song), songs.albumOf(song)].filter(Boolean).join(" \u00b7 ");
    const facts = [
      make("h2", { textContent: songs.title(song) }),
      make("p", { className: "soft", textContent: by }),
      make("ul", { className: "scores" }, scores),
      ...this.#remarks(song).map((text) => make("p", { className: "remark", textContent: text })),
      make("p", { className: "soft path", textContent: songs.path(song) }),
    ];
    return facts.filter((each) => each.textContent);
  }

  #remarks(song) {
    const { songs } = this, found = songs.reasons(song).map((text) => `Worth a second look: ${text}.`);
    if (songs.has(song, CORRECTED)) found.push(`You corrected the genre to ${songs.genreOf(song)}.`);
    if (songs.has(song, TAG_DIFFERS)) found.push(`The file's genre tag says ${songs.tagsOf(song)}.`);
    if (songs.has(song, DUPLICATE)) found.push("Another file has the same recording, or one that sounds nearly the same.");
    if (songs.has(song, UNKNOWN) && !found.length) found.push("Probably none of the genres that the model knows.");
    return found;
  }

  #note(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
    if (text) this.say(text);
  }

  async play() {
    if (!this.audio.paused || this.audio.hidden) return;
    const song = this.song;
    try {
      await this.audio.play();
      this.#note("");
      this.say(`Playing ${this.songs.name(song)}`);
    } catch (error) {
      if (error.name === "NotAllowedError" && song === this.song) this.#note(reason(this.songs, song, error));
    }
  }

  toggle() {
    if (this.audio.paused) this.play();
    else this.audio.pause();
  }

  // An address that does not work gives way to the next; after the last the reason is said.
  #failed() {
    if (!this.audio.getAttribute("src")) return;
    if (this.#next()) this.play();
    else this.#note(reason(this.songs, this.song, this.audio.error));
  }
}

customElements.define("song-player", SongPlayer);
