// The listening page: songs come in, the chosen one is shown, all stand in the table.
//
// <song-view> and <song-table> get `session` (and `song`, the chosen one). An element with songs to offer, such as the
// recorder, sends the event "songs" with {files} up the page. A view's sentences for the live region come as "say".

import "./model_card.js";
import "./library_panel.js";
import "./live_view.js";
import "./song_table.js";
import { chosenFiles, droppedFiles } from "./dropped_files.js";
import { makeEngine } from "./engine.js";
import { PageKeys } from "./page_keys.js";
import { Session } from "./session.js";
import { askToken } from "./token_dialog.js";

const at = (id) => document.getElementById(id);
const session = new Session(makeEngine({ ask: askToken }));

function say(sentence) {
  at("live").textContent = sentence;
}

function trouble(sentence) {
  at("trouble").textContent = sentence;
  at("trouble").hidden = !sentence;
}

const MANY = 4; // songs beside which the spectrogram begins folded, so that the table is in sight

function show() {
  const { length } = session.songs, [view, table] = ["song-view", "song-table"].map((name) => document.querySelector(name));
  document.body.classList.toggle("empty", length === 0);
  view.hidden = table.hidden = length === 0;
  if (length >= MANY && !show.isFolded) view.classList.add("folded");
  show.isFolded = length >= MANY;
}

function take(found) {
  session.add(found.songs);
  trouble(found.note);
  if (found.songs.length === 0) say("No songs there.");
}

async function dropped(event) {
  event.preventDefault();
  document.body.classList.remove("over");
  take(await droppedFiles(event.dataTransfer, (count) => say(`${count} songs found`)));
}

function listenForSongs() {
  const isOver = (is) => (event) => (event.preventDefault(), document.body.classList.toggle("over", is));
  document.addEventListener("dragover", isOver(true));
  document.addEventListener("dragleave", (event) => event.relatedTarget || isOver(false)(event));
  document.addEventListener("drop", dropped);
  for (const [button, input] of [["choose", "files"], ["folder", "folders"]]) {
    at(button).addEventListener("click", () => at(input).click());
    at(input).addEventListener("change", () => (take(chosenFiles(at(input).files)), (at(input).value = "")));
  }
  document.addEventListener("songs", (event) => session.add(event.detail.files));
  document.addEventListener("say", (event) => say(event.detail));
}

async function give(name, fields) {
  await customElements.whenDefined(name);
  Object.assign(document.querySelector(name), fields);
}

function connect() {
  for (const name of ["song-view", "song-table", "model-card", "library-panel", "live-view"]) give(name, { session });
  session.addEventListener("chosen", ({ detail }) => give("song-view", { song: detail }));
  for (const name of ["added", "removed"]) session.addEventListener(name, show);
  at("where").textContent = session.engine.place === "device" ? "Your music stays on this device." : "";
}

function offerLive() {
  const view = document.querySelector("live-view"), button = at("listen-live");
  session.addEventListener("model", () => (button.hidden = !view.isOffered));
  button.addEventListener("click", () => view.open());
  view.addEventListener("shown", ({ detail }) => detail || button.focus());
}

// Results live in this tab alone, so leaving asks while there are corrections that were not downloaded.
function guard() {
  addEventListener("beforeunload", (event) => session.corrections && event.preventDefault());
}

function listenForKeys() {
  const [view, table] = ["song-view", "song-table"].map((name) => document.querySelector(name));
  const help = () => at("keys").showModal(), open = () => view.scrollIntoView({ block: "start" });
  at("help").addEventListener("click", help);
  table.addEventListener("open", open);
  new PageKeys({ session, table, view, help, open });
}

listenForSongs();
connect();
offerLive();
listenForKeys();
guard();
session.start().catch((error) => trouble(error.message));
window.session = session; // for tests and the curious
