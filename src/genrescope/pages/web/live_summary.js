// <live-summary>: after the end, how long each genre was played, and the log to take along.

import { counted, dot, duration, make, percent, timeOfDay } from "./dom.js";
import { confidenceOf } from "./live_record.js";
import { save } from "./playlist.js";
import { csvLine } from "./table_files.js";

const HEADS = ["genre", "time", "share", "passages"];

export class LiveSummary extends HTMLElement {
  connectedCallback() {
    if (this.heading) return;
    this.heading = make("h2", { tabIndex: -1 });
    this.about = make("p", { className: "soft" });
    this.whole = make("p");
    this.rows = make("tbody");
    const heads = HEADS.map((textContent) => make("th", { textContent, scope: "col" }));
    this.table = make("table", {}, [make("thead", {}, [make("tr", {}, heads)]), this.rows]);
    this.files = make("p", { className: "ways" }, [
      button("Log as CSV", () => save(new Blob([passagesCsv(this.record)], { type: "text/csv" }), `${this.#name()}.csv`)),
      button("Verdicts as JSON lines", () => save(this.record.jsonLines(), `${this.#name()}.jsonl`)),
    ]);
    this.append(this.heading, this.about, this.table, this.whole, this.files);
  }

  show(record, colours, now) {
    const ranked = record.ranked(), seconds = ranked.reduce((sum, [, each]) => sum + each, 0);
    this.record = record;
    this.heading.textContent = ranked.length ? `${duration(seconds)} of sound` : "No sound was scored";
    this.about.textContent = `${timeOfDay(record.began)} to ${timeOfDay(now)}`;
    this.table.hidden = this.files.hidden = !ranked.length;
    this.rows.replaceChildren(...ranked.map(([what, each]) => this.#row(what, each, seconds, colours.get(what))));
    this.whole.textContent = wholeText(record.verdict);
  }

  #row(what, seconds, all, genre) {
    const passages = this.record.passages.filter((passage) => passage.what === what).length;
    const name = make("th", { scope: "row" }, [...(genre ? [dot(genre)] : []), what]);
    const cells = [duration(seconds), percent(seconds / (all || 1)), String(passages || "")];
    return make("tr", {}, [name, ...cells.map((textContent) => make("td", { textContent }))]);
  }

  #name() {
    return `live ${local(this.record.began).slice(0, 19).replace("T", " ").replaceAll(":", ".")}`;
  }
}

const button = (textContent, onclick) => make("button", { type: "button", textContent, onclick });

// The average of all windows, as `predict` would say of the recording.
function wholeText(verdict) {
  const { whole } = verdict ?? {};
  if (!whole) return "";
  return `The average of ${counted(whole.windows, "window", "windows")}: ${whole.unknown ? "none of the genres, nearest " : ""}${whole.genre}, ${percent(whole.confidence)}.`;
}

// The passages, a row each; times are those of this computer, with its offset from UTC.
export function passagesCsv({ passages }) {
  const rows = passages.map((passage) => {
    const confidence = confidenceOf(passage);
    return [local(passage.from), local(passage.until), passage.seconds.toFixed(1), passage.what, confidence === null ? "" : confidence.toFixed(4)];
  });
  return [["from", "until", "seconds", "genre", "confidence"], ...rows].map(csvLine).join("");
}

function local(moment) {
  const offset = -new Date(moment).getTimezoneOffset(), two = (number) => String(number).padStart(2, "0");
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${new Date(moment + 60000 * offset).toISOString().slice(0, 19)}${zone}`;
}

customElements.define("live-summary", LiveSummary);
