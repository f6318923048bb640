// Session: the songs of this tab, and their way through the engine. Views read it and listen for its events.
//
// A song: {id, file, name, state, progress: {done, total} in seconds, seconds, windows, result, error, corrected}, its
// state "waiting", "decoding", "scoring", "done" or "failed". While it waits, `sent` is the share that was sent, `ahead`
// the songs before it, `pause` the seconds until it is asked for again. `quick`: by ten windows, as `genrescope predict`
// does, not by all. Songs that came many at once are; it takes a quarter of the time.

const AT_ONCE = { server: 2, device: 1 };
const MANY = 20;
export const FEW_WINDOWS = 10;

export const isOver = (song) => song.state === "done" || song.state === "failed";

const fresh = () => ({
  state: "waiting", progress: { done: 0, total: null }, seconds: null, windows: [], result: null, error: null,
  sent: 0, ahead: 0, pause: 0,
});

export class Session extends EventTarget {
  constructor(engine) {
    super();
    Object.assign(this, { engine, model: null, songs: [], chosen: null, working: new Map(), removed: [], next: 1 });
    this.corrections = 0; // those that were not saved yet
  }

  // Ask the engine which model it has; songs wait until it is known.
  async start() {
    this.model = await this.engine.model();
    this.#tell("model", this.model);
    this.#go();
  }

  // Take files, or {file, name} where the name is a path within a folder; return their songs, old or new.
  add(files) {
    const known = new Map(this.songs.map((song) => [same(song), song]));
    const songs = [...files].map((each) => (each instanceof File ? { file: each, name: each.name } : each));
    const added = songs.map((song) => known.get(same(song)) ?? known.set(same(song), this.#song(song)).get(same(song)));
    const others = new Set(added.filter((song) => song.state === "new"));
    for (const song of others) Object.assign(song, { state: "waiting", quick: others.size > MANY });
    this.songs.push(...others);
    if (others.size) this.#tell("added", [...others]);
    if (!this.chosen || !others.size) this.choose(added[0] ?? this.chosen);
    this.#go();
    return added;
  }

  #song({ file, name }) {
    return { id: this.next++, file, name, corrected: null, ...fresh(), state: "new" };
  }

  choose(song) {
    if (song === this.chosen) return;
    this.chosen = song ?? null;
    this.#tell("chosen", this.chosen);
  }

  // Take a song away; its work stops. `restore` brings back the last one.
  remove(song) {
    const place = this.songs.indexOf(song);
    if (place < 0) return;
    this.songs.splice(place, 1);
    this.removed.push({ song, place });
    this.working.get(song)?.abort();
    if (song === this.chosen) this.choose(this.songs[Math.min(place, this.songs.length - 1)]);
    this.#tell("removed", song);
  }

  restore() {
    const last = this.removed.pop();
    if (!last) return null;
    if (!isOver(last.song)) Object.assign(last.song, fresh());
    this.songs.splice(last.place, 0, last.song);
    this.#tell("added", [last.song]);
    this.choose(last.song);
    this.#go();
    return last.song;
  }

  // Set a song's genre right, or take that back with null.
  correct(song, genre) {
    if (song.corrected === genre) return;
    song.corrected = genre;
    this.corrections++;
    this.#tell("corrected", song);
    this.#tell("changed", song);
  }

  saved() {
    this.corrections = 0;
  }

  // Classify a song once more, by all of its windows.
  retry(song) {
    Object.assign(song, { ...fresh(), quick: false });
    this.#tell("changed", song);
    this.#go();
  }

  // The chosen song goes first, so that what a person looks at is never at the end of a long queue.
  #go() {
    const most = AT_ONCE[this.engine.place] ?? 1;
    while (this.model && this.working.size < most) {
      const waits = (song) => song?.state === "waiting" && !this.working.has(song) && this.songs.includes(song);
      const song = waits(this.chosen) ? this.chosen : this.songs.find(waits);
      if (!song) return;
      this.#work(song);
    }
  }

  async #work(song) {
    const stop = new AbortController();
    this.working.set(song, stop);
    const onEvent = (event) => !stop.signal.aborted && this.#follow(song, event);
    const windows = song.quick ? FEW_WINDOWS : "all";
    try {
      const result = await this.engine.predict(song.file, { signal: stop.signal, onEvent, windows });
      if (!stop.signal.aborted) this.#done(song, result);
    } catch (error) {
      if (!stop.signal.aborted) this.#change(song, { state: "failed", error: error.message });
    }
    this.working.delete(song);
    this.#go();
  }

  #done(song, result) {
    const { windows = song.windows, seconds = song.seconds } = result;
    this.#change(song, { state: "done", result, windows, seconds, progress: { done: seconds, total: seconds } });
  }

  #follow(song, event) {
    const steps = {
      sending: () => ({ sent: event.total ? event.done / event.total : 0 }),
      waiting: () => ({ ahead: event.ahead ?? 0, pause: event.seconds ?? 0, sent: 1 }),
      decoding: () => ({ state: "decoding", progress: { done: event.seconds ?? 0, total: song.seconds } }),
      windows: () => this.#scored(song, event),
    };
    if (event.event in steps) this.#change(song, steps[event.event]());
  }

  #scored(song, { seconds, from, windows }) {
    song.windows.splice(from, windows.length, ...windows);
    const total = seconds ?? song.seconds;
    return { state: "scoring", seconds: total, progress: { done: song.windows.at(-1)?.end ?? 0, total } };
  }

  #change(song, fields) {
    Object.assign(song, fields);
    this.#tell("changed", song);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const same = ({ file, name }) => JSON.stringify([name, file.size, file.lastModified]);
