// <live-stage>: what is playing now, in letters that are read from across a room; its score, and how old that is.

import "./live_bars.js";
import { make, percent, tinted } from "./dom.js";
import { headingOf, highest, isBetween, NONE } from "./live_record.js";

const LEAST_WIDTH = 2.8; // in letter sizes: a short name is not larger than one of this width
const STALE = 3; // seconds after a verdict from which its age is counted on
const NOTHING = "\u2026"; // before the first verdict

export class LiveStage extends HTMLElement {
  connectedCallback() {
    if (this.name) return;
    this.name = make("p", { className: "name" });
    this.score = make("span", { className: "score" });
    this.next = make("span", { className: "soft next" });
    this.behind = make("span", { className: "soft behind" });
    this.bars = make("live-bars");
    this.append(make("div", { className: "hero" }, [this.name]), make("p", { className: "line" }, [this.score, this.next, this.behind]), this.bars);
  }

  start(colours) {
    Object.assign(this, { colours, shown: null, came: null, age: 0 });
    this.bars.start(colours);
    this.#name(NOTHING);
    this.score.textContent = this.next.textContent = this.behind.textContent = "";
  }

  // `age` in seconds: how much newer sound there was when the verdict came.
  show(verdict, age, now) {
    const what = headingOf(verdict);
    Object.assign(this, { came: now, age });
    this.#name(what ?? NOTHING);
    this.score.textContent = scoreText(what, verdict);
    this.next.textContent = nextText(what, verdict);
    this.bars.show(what === null ? {} : verdict.scores);
    this.tick(now);
  }

  tick(now) {
    if (this.came === null) return;
    const since = (now - this.came) / 1000, age = this.age + (since > STALE ? since : 0);
    this.behind.textContent = `${age < 10 ? age.toFixed(1) : Math.round(age)} s behind`;
  }

  #name(what) {
    if (what === this.shown) return;
    this.shown = what;
    const genre = this.colours.get(what), text = isBetween(what) || what === NONE ? `${what[0].toUpperCase()}${what.slice(1)}` : what;
    const letters = make("span", { textContent: text, className: genre ? "letters" : "letters plain" });
    if (genre) tinted(this, genre);
    this.name.replaceChildren(letters);
    const width = letters.offsetWidth / parseFloat(getComputedStyle(letters).fontSize);
    letters.style.setProperty("--width", Math.max(LEAST_WIDTH, width).toFixed(3));
  }
}

function scoreText(what, { confidence, scores }) {
  if (isBetween(what) || what === null) return "";
  const [[nearest, score] = []] = highest(scores, 1);
  if (what === NONE) return nearest ? `nearest: ${nearest} ${percent(score)}` : "";
  return percent(confidence);
}

// A genre that has the highest score, and not for long enough yet.
function nextText(what, { scores }) {
  const [[nearest] = []] = highest(scores, 1);
  return nearest && nearest !== what && ![NONE, null].includes(what) && !isBetween(what) ? `perhaps ${nearest}` : "";
}

customElements.define("live-stage", LiveStage);
