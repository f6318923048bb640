// <library-map>: the whole page. It joins map, legend, list and player by one state.

import "./genre_legend.js";
import "./song_list.js";
import "./song_map.js";
import "./song_player.js";
import { counted, make } from "./dom.js";
import { Songs } from "./packed.js";
import { playlist, save } from "./playlist.js";
import { hasFolders } from "./sources.js";
import { FLAG_OF_VIEW, ORDERS, State } from "./state.js";

const WAIT = 120; // milliseconds after a key before a search runs

export class LibraryMap extends HTMLElement {
  connectedCallback() {
    this.songs = new Songs(JSON.parse(document.getElementById("songs").textContent));
    this.state = new State(this.songs);
    const find = (name) => this.querySelector(name);
    this.parts = { map: find("song-map"), list: find("song-list"), player: find("song-player"), live: find("#live") };
    this.search = find("#search");
    this.parts.map.start(this.state);
    find("genre-legend").start(this.state);
    this.parts.list.start(this.state);
    this.parts.player.start(this.state, (text) => this.#say(text));
    this.#controls(find);
    this.#views(find("#views"));
    this.#events();
    this.state.addEventListener("change", () => this.#count());
    this.#count();
  }

  #say(text) {
    this.parts.live.textContent = text;
  }

  #controls(find) {
    const least = find("#least"), shown = find("#least-shown"), order = find("#order");
    order.append(...Object.keys(ORDERS).map((name) => make("option", { textContent: name, value: name })));
    order.addEventListener("change", () => this.state.change({ order: order.value }));
    least.addEventListener("input", () => {
      shown.textContent = `${least.value} %`;
      this.state.change({ least: least.value / 100 });
    });
    this.search.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.state.change({ query: this.search.value }), WAIT);
    });
    this.count = find("#count");
    this.download = Object.assign(find("#download"), { hidden: !hasFolders(this.songs) });
    this.download.addEventListener("click", () => this.#save());
  }

  // The buttons that say which songs are listed; those without songs are left out.
  #views(place) {
    const of = (flag) => this.songs.flags.reduce((sum, flags) => sum + ((flags & flag) !== 0), 0);
    const names = { doubtful: "Doubtful", duplicates: "Duplicates", tags: "Tag differs" };
    const second = Object.entries(names).map(([view, name]) => [view, name, of(FLAG_OF_VIEW[view])]);
    this.views = new Map();
    const all = ["all", "All songs", this.songs.count], extra = [["lasso", "Lasso", 0], ["alike", "Like this", 0]];
    for (const [view, name, count] of [all, ...second, ...extra]) {
      const number = make("span", { className: "soft", textContent: count.toLocaleString("en") });
      const button = make("button", { type: "button", hidden: !count, onclick: () => this.state.change({ view }) }, [name, " ", number]);
      this.views.set(view, { button, number });
    }
    const buttons = (views) => views.map(([view]) => this.views.get(view).button);
    const look = make("div", { className: "look", hidden: buttons(second).every((each) => each.hidden) });
    look.append(make("h2", { textContent: "Worth a second look" }), make("div", { className: "chips" }, buttons(second)));
    place.append(make("div", { className: "chips" }, buttons([all, ...extra])), look);
  }

  #count() {
    const { listed, view } = this.state;
    for (const [name, { button }] of this.views) button.setAttribute("aria-pressed", String(name === view));
    const text = counted(listed.length, "song", "songs");
    if (this.count.textContent !== text) this.count.textContent = text;
    this.download.disabled = !listed.length;
  }

  #events() {
    this.addEventListener("choose", ({ detail }) => this.#choose(detail.song, detail.play));
    this.addEventListener("lasso", ({ detail }) => this.#extra("lasso", detail.songs, { lasso: detail.songs }));
    this.addEventListener("alike", () => this.#alike());
    this.addEventListener("close", () => this.#choose(-1));
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  #choose(song, play = false) {
    if (song < 0) this.parts.player.audio.pause();
    this.state.change({ chosen: song });
    if (song >= 0 && play) this.parts.player.play();
    else if (song >= 0) this.#say(`${this.songs.name(song)}, ${this.songs.genreOf(song)}`);
  }

  #alike() {
    const { chosen } = this.state, songs = [chosen, ...this.songs.neighbours(chosen)];
    this.#extra("alike", songs.slice(1), { alike: songs });
  }

  #extra(view, songs, fields) {
    const { button, number } = this.views.get(view);
    button.hidden = !songs.length;
    number.textContent = songs.length.toLocaleString("en");
    this.search.value = "";
    this.state.change({ ...fields, query: "", view: songs.length ? view : "all" });
    this.#say(songs.length ? `${counted(songs.length, "song", "songs")} in the list` : "No song inside the line");
  }

  #save() {
    const { listed, view, alike } = this.state;
    const name = view === "alike" ? `like ${this.songs.title(alike[0])}` : { all: "songs", lasso: "lasso" }[view] || view;
    save(playlist(listed, this.songs), `${name.replace(/[^\p{L}\p{N} -]/gu, "").trim() || "songs"}.m3u8`);
    this.#say(`${counted(listed.length, "song", "songs")} saved as a playlist`);
  }

  #key(event) {
    const isText = event.target.matches("input[type=search], select, audio, textarea");
    if (event.key === "Escape") return this.#escape();
    if (isText || event.ctrlKey || event.metaKey || event.altKey) return undefined;
    const keys = {
      "/": () => this.search.focus(),
      l: () => this.parts.map.setLasso(!this.parts.map.isLasso),
      s: () => this.state.chosen >= 0 && this.#alike(),
      p: () => this.state.chosen >= 0 && this.parts.player.toggle(),
    };
    const action = keys[event.key.toLowerCase()];
    if (!action) return undefined;
    event.preventDefault();
    return action();
  }

  #escape() {
    const { map } = this.parts;
    if (map.isLasso) return map.setLasso(false);
    if (this.search.value) this.search.value = "";
    else if (this.state.view === "all" && this.state.chosen >= 0) return this.#choose(-1);
    return this.state.change({ query: "", view: "all" });
  }
}

customElements.define("library-map", LibraryMap);
