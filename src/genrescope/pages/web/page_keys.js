// Keys of the listening page. Fields keep theirs, and what an element has dealt with is left alone.

const WRITES = "input:not([type=range]), textarea, select, dialog[open]";
export const COVERS = "dialog[open], live-view:not([hidden])"; // what has the keys while it is there
const PRESSES = "button, summary, a, audio, video, input, select";

export class PageKeys {
  // `page` has session, table, view, help(), open().
  constructor(page) {
    this.page = page;
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    const { session, table } = this.page, { target, key } = event;
    if (event.defaultPrevented || target.closest(WRITES) || document.querySelector(COVERS)) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && key === "z" && session.restore()) return event.preventDefault();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#anywhere(key) || (session.chosen && this.#onSong(key, target))) event.preventDefault();
    else if (this.#steps(target) && this.#step(key, table)) event.preventDefault();
  }

  #anywhere(key) {
    const does = { "?": () => this.page.help(), "/": () => this.page.table.tools.query.focus() }[key];
    does?.();
    return Boolean(does);
  }

  #onSong(key, target) {
    const { table, view } = this.page;
    if (key === " " && !target.closest(PRESSES)) return Boolean(view.toggle) && (view.toggle(), true);
    if (key === "Enter" && !target.closest(PRESSES)) return this.page.open(), true;
    if (key === "Delete" || key === "Backspace") return this.#delete(), true;
    return table.bar.press(key);
  }

  // The first press takes a correction back, the next one the song.
  #delete() {
    const { session } = this.page, song = session.chosen;
    if (song.corrected) session.correct(song, null);
    else session.remove(song);
  }

  #steps(target) {
    return target === document.body || (target.closest("song-table") && !target.closest("input")); // a slider has arrows
  }

  #step(key, table) {
    const all = table.listing.listed.length;
    const rows = { ArrowDown: 1, ArrowUp: -1, PageDown: table.page, PageUp: -table.page, Home: -all, End: all }[key];
    if (rows) table.step(rows);
    return Boolean(rows);
  }
}
