// <live-view>: the genre of what is playing, as it plays. First the choice of the sound, then what is playing, at the end
// a summary. `session` once; it opens at the address #live-view, and closing it ends the microphone at once.

import "./live_facts.js";
import "./live_setup.js";
import "./live_stage.js";
import "./live_strip.js";
import "./live_summary.js";
import "./live_tools.js";
import { make } from "./dom.js";
import { FullScreen } from "./full_screen.js";
import { coloursOf } from "./genre_colours.js";
import { LiveInput } from "./live_input.js";
import { LiveLink } from "./live_link.js";
import { GAP, headingOf, LiveRecord, SILENCE } from "./live_record.js";
import { refusal } from "./microphone.js";
import { WakeLock } from "./wake_lock.js";

const ADDRESS = "#live-view", TICK = 1000;
const WRITES = "input, select, textarea, dialog[open]";

export class LiveView extends HTMLElement {
  connectedCallback() {
    if (this.setup) return;
    const names = ["setup", "tools", "stage", "facts", "strip", "summary"];
    for (const name of names) this[name] = make(`live-${name}`);
    this.notice = make("p", { className: "notice" });
    this.status = make("p", { className: "sr-only" });
    for (const each of [this.notice, this.status]) each.setAttribute("role", "status");
    this.shut = make("button", { type: "button", className: "quiet", textContent: "Close", onclick: () => this.close() });
    this.again = make("button", { type: "button", textContent: "Once more", onclick: () => this.#setState("ready") });
    this.append(...names.slice(0, 2).map((name) => this[name]), this.notice, this.stage, this.facts, this.strip, this.summary);
    this.append(make("p", { className: "ways ends" }, [this.again, this.shut]), this.status);
    this.lock = new WakeLock();
    this.pageTitle = document.title;
    this.screen = new FullScreen(this, (isOn) => (this.tools.full.textContent = isOn ? "Leave full screen" : "Full screen"));
    this.#listen();
  }

  #listen() {
    this.setup.addEventListener("begin", ({ detail }) => this.#begin(detail));
    this.tools.addEventListener("stop", () => this.stop());
    this.tools.addEventListener("full", () => this.screen.toggle());
    this.tools.addEventListener("choose", ({ detail }) => this.#choose(detail));
    this.tools.full.hidden = !this.screen.isPossible;
    addEventListener("hashchange", () => this.#follow());
    addEventListener("pagehide", () => this.stop());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  set session(session) {
    this.from = session;
    session.addEventListener("model", () => this.#follow());
    if (session.model) this.#follow();
  }

  // Whether the service has live genres; a page of another engine never has.
  get isOffered() {
    return Boolean(this.from?.model?.live && this.from.engine.live);
  }

  open() {
    location.hash = ADDRESS;
  }

  close() {
    if (location.hash === ADDRESS) history.replaceState(null, "", location.pathname + location.search);
    this.#follow();
  }

  // The address says whether the view is open.
  #follow() {
    const isOpen = this.isOffered && location.hash === ADDRESS;
    if (isOpen === !this.hidden) return;
    this.hidden = !isOpen;
    document.body.classList.toggle("live", isOpen);
    if (isOpen) this.#setState("ready");
    else this.#shut();
    this.dispatchEvent(new CustomEvent("shown", { detail: isOpen }));
  }

  #shut() {
    this.dataset.state = "shut";
    this.#end();
  }

  #setState(state) {
    this.dataset.state = state;
    const shown = { setup: ["ready"], tools: ["on"], stage: ["on"], facts: ["on"], strip: ["on", "over"], summary: ["over"], again: ["over"], shut: ["ready", "over"] };
    for (const [name, states] of Object.entries(shown)) this[name].hidden = !states.includes(state);
    this.#notify("");
    this.setup.say("");
    ({ ready: this.setup.heading, on: this.tools.stop, over: this.summary.heading })[state].focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  #key(event) {
    if (this.hidden || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(WRITES)) return;
    if (event.key !== "f" || this.dataset.state !== "on" || !this.screen.isPossible) return;
    event.preventDefault();
    this.screen.toggle();
  }

  async #begin(isTab) {
    this.#end();
    const input = new LiveInput({
      onBlock: (block) => this.#block(block), onLost: (wait) => this.#inputLost(wait),
      onBack: () => this.#inputBack(), onEnd: () => this.stop(),
    }); // prettier-ignore
    this.input = input;
    this.setup.say("");
    this.setup.busy = true;
    try {
      await input.begin(isTab);
    } catch (error) {
      input.stop();
      if (input === this.input) this.setup.say(refusal(error, isTab));
      return;
    } finally {
      this.setup.busy = false;
    }
    if (input === this.input) this.#start();
  }

  #start() {
    const { model, engine } = this.from, colours = coloursOf(model);
    this.record = new LiveRecord(Date.now());
    this.colours = colours;
    this.link = new LiveLink({ connect: (rate) => engine.live(rate), check: () => engine.model(), rate: this.input.rate });
    for (const name of ["open", "verdict", "lost", "over"]) this.link.addEventListener(name, ({ detail }) => this.#linked(name, detail));
    this.#setState("on");
    for (const part of [this.facts, this.strip]) part.start(this.record, colours);
    this.stage.start(colours);
    this.tools.list(this.input);
    this.timer = setInterval(() => this.#tick(), TICK);
    this.#tick();
    this.lock.on();
    this.link.open();
  }

  #block({ block, peak, level }) {
    this.tools.setLevel(peak);
    this.link?.send(block);
    this.record?.sound(level, block.length / this.input.rate, Date.now());
    this.strip.move();
  }

  #linked(name, detail) {
    if (name === "verdict") this.#verdict(detail);
    else if (name === "open") this.#connected();
    else if (name === "lost") this.#lost(detail.reason, detail.seconds);
    else if (detail) this.stop(detail);
  }

  #connected() {
    this.record.connect(Date.now());
    this.#notify("");
  }

  #lost(reason, seconds) {
    this.record.interrupt(Date.now());
    this.#notify(reason, Date.now() + 1000 * seconds);
    this.#tick();
  }

  #inputLost(seconds) {
    this.link.pause();
    this.#lost("The input is not there any more.", seconds);
  }

  #inputBack() {
    this.tools.list(this.input);
    this.link.open();
  }

  async #choose(id) {
    const { input } = this;
    try {
      await input.choose(id);
      this.#notify("");
    } catch (error) {
      this.#notify(refusal(error));
    }
    this.tools.list(input);
  }

  #verdict(verdict) {
    const now = Date.now(), age = Math.max(0, this.link.seconds - verdict.time);
    this.record.see(verdict, now - 1000 * age);
    if (this.dataset.state === "over") this.summary.show(this.record, this.colours, this.ended);
    if (this.dataset.state !== "on") return;
    this.stage.show(verdict, age, now);
    this.facts.show(verdict, this.link.leftOut);
    this.strip.draw(now);
    document.title = `${headingOf(verdict) ?? "live"} \u00b7 genrescope`;
    this.#announce();
  }

  // For who listens to the page: changes of genre alone, not every verdict.
  #announce() {
    const what = this.record.passages.at(-1)?.what;
    if (!what || what === this.announced || what === SILENCE || what === GAP) return;
    this.announced = what;
    this.status.textContent = what;
  }

  #tick() {
    const now = Date.now();
    this.tools.tick((now - this.record.began) / 1000);
    this.stage.tick(now);
    this.strip.draw(now);
    if (this.due) this.countdown.textContent = ` Next try in ${Math.max(0, Math.ceil((this.due - now) / 1000))} s.`;
  }

  // The countdown is not read aloud each second.
  #notify(sentence, due = null) {
    this.due = due;
    this.countdown = make("span", { ariaHidden: "true" });
    this.notice.replaceChildren(sentence, this.countdown);
    this.notice.hidden = !sentence;
    this.classList.toggle("dim", due !== null);
  }

  // End the sound at once, and show the summary; a reason where the service ended it.
  stop(reason = "") {
    if (this.dataset.state !== "on") return;
    this.input.stop();
    this.ended = Date.now();
    this.#rest();
    this.summary.show(this.record, this.colours, this.ended);
    this.#setState("over");
    this.#notify(reason);
    this.link.end();
  }

  #rest() {
    clearInterval(this.timer);
    this.lock.off();
    this.screen.leave();
    document.title = this.pageTitle;
  }

  // End everything, as closing the view does.
  #end() {
    this.input?.stop();
    this.link?.close();
    this.#rest();
    Object.assign(this, { input: null, link: null, announced: null });
  }
}

customElements.define("live-view", LiveView);
