// <song-view>: one song. Its layers on one axis of time, a player, the verdict, and why. `session` once, `song` at will.

import "./song_controls.js";
import "./song_layers.js";
import "./verdict.js";
import "./why.js";
import { make } from "./dom.js";
import { coloursOf } from "./genre_colours.js";
import { COVERS } from "./page_keys.js";
import { Player } from "./player.js";
import { isOver } from "./session.js";
import { folderOf, titleOf } from "./song_facts.js";
import { decode } from "./sound.js";
import { measuredText, spoken } from "./verdict.js";

const ANYWHERE = new Set(["ArrowLeft", "ArrowRight", "+", "=", "-", "f", "l", "w", "Escape"]); // keys of the layers for all of the page
const TAKES = "input, textarea, select, dialog[open], [role=slider]", WAIT = 150; // milliseconds before another song is decoded
const FACTOR = 2, PART = 10; // of the zoom buttons; seconds that the loop button takes where no genre's stretch is there

const MUTE = "This browser cannot decode the file, so there is no waveform and no spectrogram. Its genres come all the same.";

export class SongView extends HTMLElement {
  #song = null;

  connectedCallback() {
    if (this.layers) return;
    this.player = new Player();
    this.titleLine = make("h2", { className: "song-title" });
    this.about = make("p", { className: "soft small about" });
    [this.layers, this.controls, this.verdict, this.why] = ["layers", "controls", "verdict", "why"].map((name) => make(`song-${name}`));
    this.note = make("p", { className: "small note" });
    this.measured = make("p", { className: "small soft measured" });
    const left = make("div", { className: "sight" }, [this.layers, this.controls, this.note]);
    this.append(make("header", {}, [this.titleLine, this.about]), left, make("aside", { ariaLabel: "Verdict" }, [this.verdict, this.why, this.measured]));
    for (const part of [this.layers, this.controls, this.verdict, this.why]) part.start(this);
    this.#listen();
  }

  #listen() {
    this.player.addEventListener("time", () => this.#timed());
    this.player.addEventListener("state", () => (this.#known(), this.#state()));
    document.addEventListener("keydown", (event) => this.#key(event));
    this.layers.axis.addEventListener("change", () => {
      this.player.loop = this.layers.axis.loop;
      this.#state();
    });
  }

  #key(event) {
    if (event.defaultPrevented || !this.#song || event.target.closest(TAKES) || document.querySelector(COVERS)) return;
    this.layers.gestures.press(event, (key) => ANYWHERE.has(key));
  }

  set session(session) {
    this.from = session;
    session.addEventListener("changed", ({ detail }) => detail === this.#song && this.#update());
    session.addEventListener("model", () => this.#song && this.#begin());
  }

  get song() {
    return this.#song;
  }

  set song(song) {
    if (song === this.#song) return;
    const isFirst = !this.#song;
    this.#song = song;
    this.loading?.abort();
    this.layers.sound?.close();
    this.player.unload();
    this.#begin();
    if (song) this.#load(song, isFirst ? 0 : WAIT);
  }

  #begin() {
    const { model } = this.from, song = this.#song;
    this.colours = coloursOf(model);
    this.labels = model?.labels ?? [];
    const { sound } = this.layers;
    this.layers.clear({ labels: this.labels, colours: this.colours, isExclusive: model?.exclusive !== false });
    this.told = song && isOver(song);
    this.controls.setReadout(null, [], this.colours);
    if (!song) return;
    if (sound && this.soundOf === song) this.layers.setSound(sound);
    this.titleLine.textContent = titleOf(song);
    this.about.textContent = folderOf(song);
    this.#update();
    this.#timed();
    this.#state();
  }

  // Decode a song; a person who goes through the table leaves most songs before that begins.
  async #load(song, wait) {
    const loading = new AbortController();
    this.loading = loading;
    this.soundOf = null;
    this.player.load(song.file);
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (loading.signal.aborted) return;
    const sound = await decode(song.file, loading.signal);
    if (loading.signal.aborted) return sound?.close();
    this.soundOf = song;
    this.layers.setSound(sound);
    this.#update();
    this.#state();
  }

  #update() {
    const song = this.#song, { model, engine } = this.from, { result } = song;
    this.dataset.state = song.state;
    const isMute = this.soundOf === song && !this.layers.sound;
    this.classList.toggle("mute", isMute);
    this.note.textContent = isMute && song.state !== "failed" ? MUTE : "";
    this.layers.setScores({
      windows: song.windows, isOver: isOver(song), isUnknown: result?.unknown, seconds: song.seconds,
    });
    this.verdict.show(song, model, { colours: this.colours, leading: this.layers.leading });
    this.why.show(song, engine);
    this.measured.textContent = result ? measuredText(model) : "";
    this.#readAt(this.player.time);
    if (isOver(song) && !this.told) this.say(spoken(song));
    this.told = isOver(song);
  }

  // What the player knows of the length counts until the samples are there.
  #known() {
    if (!this.layers.sound && this.player.seconds) this.layers.axis.setSeconds(this.player.seconds);
  }

  #timed() {
    const { time } = this.player;
    this.layers.setTime(time);
    this.controls.setPosition(time, this.layers.axis.seconds);
    if (!this.isPointed) this.#readAt(time);
  }

  #state() {
    const { axis } = this.layers, { isPlaying, canPlay } = this.player;
    this.controls.setState({ isPlaying, canPlay, isLooped: Boolean(axis.loop), isFolded: this.classList.contains("folded"), isWhole: axis.isWhole });
    this.controls.setPosition(this.player.time, axis.seconds);
  }

  #readAt(time) {
    const { curve } = this.layers, windows = curve?.windows ?? [];
    if (!windows.length || time > curve.end + 1) return this.controls.setReadout(null, [], this.colours);
    const scores = curve.at(time, 0, new Float64Array(curve.count + 1)), isSilent = scores[curve.count] < 0.5;
    const pairs = this.labels.map((label, k) => [label, scores[k]]).sort(([, one], [, other]) => other - one);
    return this.controls.setReadout(time, isSilent ? [["silence", null]] : pairs, this.colours);
  }

  // What layers, controls and why ask for.

  seek(time) {
    this.isPointed = false;
    this.player.seek(time);
  }

  moved(time) {
    this.isPointed = time !== null;
    if (this.#song) this.#readAt(time ?? this.player.time);
  }

  get time() {
    return this.player.time;
  }

  part() {
    return this.layers.axis;
  }

  show(evidence) {
    this.layers.evidence = evidence;
    if (evidence) this.classList.remove("folded");
    this.layers.redraw();
    this.#state();
  }

  say(sentence) {
    this.dispatchEvent(new CustomEvent("say", { detail: sentence, bubbles: true }));
  }

  toggle() {
    this.player.toggle();
  }

  command(name) {
    const { axis } = this.layers;
    const commands = {
      play: () => this.toggle(), why: () => this.why.toggle(), loop: () => this.#loop(), fold: () => this.classList.toggle("folded"),
      closer: () => axis.zoom(FACTOR, this.#focus()), wider: () => axis.zoom(1 / FACTOR, this.#focus()), whole: () => axis.whole(),
    };
    commands[name]();
    this.layers.redraw();
    this.#state();
  }

  // The buttons zoom around the playhead where it is in sight.
  #focus() {
    const { axis } = this.layers, { time } = this.player;
    return time >= axis.from && time <= axis.to ? time : undefined;
  }

  // Loop the stretch with one genre that the playhead is in, or end the loop.
  #loop() {
    const { axis, names } = this.layers, { time } = this.player;
    if (axis.loop) return axis.clearLoop();
    const found = names.stretches.length > 1 && names.stretches.find(({ start, end }) => time >= start && time < end);
    return found ? axis.setLoop(found.start, found.end) : axis.setLoop(time, Math.min(axis.seconds, time + PART));
  }
}

customElements.define("song-view", SongView);
