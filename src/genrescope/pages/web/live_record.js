// What was played: seconds of each genre, passages with their times, the last ten minutes, and all verdicts as lines.
// It does not grow with the days: what is long ago is dropped, and lines wait in blobs, which a browser keeps on the disk.

export const SILENCE = "silence", SPEECH = "speech", NONE = "none of the genres", GAP = "interrupted";
export const RECENT = 600; // seconds that the strip shows

const PAUSE = 3; // seconds; a shorter silence is no passage of its own
const JITTER = 1500; // milliseconds; blocks and verdicts that are less apart from the one before follow it
const PASSAGES = 5000, LINES = 500, BLOBS = 1200; // the newest that are kept: passages, lines in a blob, blobs

// What a verdict says is playing; null before the first window with sound.
export function headingOf({ silent, speech, unknown, genre }) {
  if (silent || speech) return silent ? SILENCE : SPEECH;
  return unknown ? NONE : genre;
}

// The labels with the highest scores, as [label, score].
export function highest(scores, count) {
  return Object.entries(scores).sort(([, one], [, other]) => other - one).slice(0, count);
}

export class LiveRecord {
  constructor(now) {
    Object.assign(this, { began: now, connected: now, totals: new Map(), passages: [], recent: [], levels: [], skipped: 0, skippedBefore: 0 });
    Object.assign(this, { time: 0, lost: 0, lines: [], blobs: [], verdict: null });
  }

  // A connection begins: its verdicts count their time from 0.
  connect(now) {
    this.skippedBefore = this.skipped;
    Object.assign(this, { time: 0, lost: 0, connected: now });
  }

  // Nothing comes any more, as long as no verdict does.
  interrupt(now) {
    if (this.passages.length && this.passages.at(-1).what !== GAP) this.#passage(GAP, now, now, 0, 0);
  }

  // The level of the newest sound, as an amplitude, of some seconds until `moment`. Blocks may come in bunches; their
  // times follow one another all the same.
  sound(level, seconds, moment) {
    const next = (this.levels.at(-1)?.moment ?? 0) + 1000 * seconds;
    this.levels.push({ level, moment: Math.abs(moment - next) < JITTER ? next : moment });
    while (this.levels[0].moment < moment - 1000 * RECENT) this.levels.shift();
  }

  // Take a verdict on sound that was captured until `moment`, in milliseconds.
  see(verdict, moment) {
    this.#note(verdict, moment);
    this.skipped = this.skippedBefore + verdict.skipped;
    this.verdict = verdict;
    if (verdict.last) return;
    const seconds = Math.max(0, verdict.time - this.time - (verdict.lost - this.lost)), what = headingOf(verdict);
    Object.assign(this, { time: verdict.time, lost: verdict.lost });
    if (what === null) return;
    const from = this.#from(moment - 1000 * seconds), top = highest(verdict.scores, 3);
    this.totals.set(what, (this.totals.get(what) ?? 0) + seconds);
    this.recent.push({ what, from, until: moment, confidence: verdict.confidence, top });
    while (this.recent[0].until < moment - 1000 * RECENT) this.recent.shift();
    this.#passage(what, from, moment, seconds, verdict.confidence);
  }

  // Where a verdict's time begins: at the end of the one before, where that is near.
  #from(moment) {
    const before = this.recent.at(-1)?.until ?? 0;
    return before >= this.connected && Math.abs(moment - before) < JITTER ? before : Math.max(this.connected, moment);
  }

  #passage(what, from, until, seconds, confidence) {
    this.#close(from);
    let last = this.passages.at(-1);
    if (last?.what === SILENCE && what !== SILENCE && last.seconds < PAUSE) {
      this.passages.pop();
      last = this.passages.at(-1);
    }
    if (last?.what !== what) this.passages.push((last = { what, from, until, seconds: 0, sum: 0 }));
    last.until = until;
    last.seconds += seconds;
    last.sum += confidence * seconds;
    if (this.passages.length > PASSAGES) this.passages.shift();
  }

  // A passage without sound lasts until the next one begins.
  #close(moment) {
    const last = this.passages.at(-1);
    if (last?.what === GAP) Object.assign(last, { until: moment, seconds: (moment - last.from) / 1000 });
  }

  #note(verdict, moment) {
    this.lines.push(`${JSON.stringify({ at: new Date(moment).toISOString(), ...verdict })}\n`);
    if (this.lines.length < LINES) return;
    this.blobs.push(new Blob(this.lines));
    this.lines = [];
    if (this.blobs.length > BLOBS) this.blobs.shift();
  }

  // The totals as [what, seconds], the longest first.
  ranked() {
    return [...this.totals].sort(([, one], [, other]) => other - one);
  }

  // All verdicts, a line of JSON each, as `genrescope live --log` writes them.
  jsonLines() {
    return new Blob([...this.blobs, ...this.lines], { type: "application/x-ndjson" });
  }
}

// Whether no song plays, so that a score would say nothing.
export const isBetween = (what) => what === SILENCE || what === SPEECH;

export const confidenceOf = ({ what, sum, seconds }) => (isBetween(what) || what === GAP || !seconds ? null : sum / seconds);
