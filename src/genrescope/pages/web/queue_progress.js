// How far the queue is, and how long the rest takes: by the bytes of the songs, at the speed since the queue began.

import { counted } from "./dom.js";
import { isOver } from "./session.js";

const LEAST = 3; // songs that have to be done before a time is said

export class QueueProgress {
  constructor() {
    this.began = null;
  }

  // Return {done, total, share, text}; `now` in milliseconds. A queue that was empty begins anew.
  of(songs, now = performance.now()) {
    const open = songs.filter((song) => !isOver(song));
    if (!open.length) this.began = null;
    else this.began ??= { now, over: new Set(songs.filter(isOver)) };
    const own = songs.filter((song) => !this.began?.over.has(song)), done = own.length - open.length;
    const size = (some) => some.reduce((sum, { file }) => sum + file.size, 0), all = size(own);
    const share = open.length && all ? 1 - size(open) / all : 1;
    return { done, total: own.length, share, text: open.length ? this.#text(done, own.length, share, now) : "" };
  }

  #text(done, total, share, now) {
    const left = done >= LEAST && share > 0 ? ((now - this.began.now) / 1000) * (1 / share - 1) : null;
    return `${done.toLocaleString("en")} of ${total.toLocaleString("en")} done${left === null ? "" : `, ${about(left)} left`}`;
  }
}

export function about(seconds) {
  if (seconds < 60) return `about ${counted(Math.max(1, Math.round(seconds)), "second", "seconds")}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `about ${counted(minutes, "minute", "minutes")}`;
  return `about ${(minutes / 60).toFixed(1)} hours`;
}
