// LiveLink: sound goes to the service, verdicts come back. A connection that drops is made again, after growing waits.
//
// Events: "open"; "verdict" with the verdict; "lost" with {reason, seconds} until the next try; "over" with a reason
// where no further try makes sense. What the socket has not sent within some seconds is left out, and counted.

import { sentence } from "./dom.js";

const FIRST_WAIT = 1, LONGEST_WAIT = 60, MOST_HELD = 2; // seconds; of sound that waits in the socket
const PATIENCE = 20; // seconds without a verdict, after which a connection counts as dead
const AFTER_END = 5; // seconds for the last verdict
const FINAL = new Set([1002, 1003, 1007, 1008, 1009]); // codes of a refusal that would be the same the next time
const BUSY = 1013;

export class LiveLink extends EventTarget {
  // `connect(rate)` gives a WebSocket; `check()` asks the service for its model, and throws a sentence.
  constructor({ connect, check, rate }) {
    super();
    Object.assign(this, { connect, check, rate, wait: FIRST_WAIT, leftOut: 0, isOver: false, sent: 0, attempt: 0 });
  }

  open() {
    const socket = this.connect(this.rate);
    Object.assign(this, { socket, sent: 0, attempt: this.attempt + 1, isOpen: false, reason: "" });
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => socket === this.socket && this.#read(data));
    socket.addEventListener("close", (event) => socket === this.socket && this.#closed(event));
    this.#watch();
  }

  // Seconds of sound that went out over this connection.
  get seconds() {
    return this.sent / this.rate;
  }

  send(block) {
    if (!this.isOpen || this.isEnding) return;
    if (this.socket.bufferedAmount > MOST_HELD * this.rate * block.BYTES_PER_ELEMENT) {
      this.leftOut += block.length / this.rate;
      return;
    }
    this.socket.send(block);
    this.sent += block.length;
  }

  #read(text) {
    const { type, ...message } = JSON.parse(text);
    this.#watch();
    if (type === "ready") this.#ready();
    else if (type === "verdict") this.#verdict(message);
    else if (type === "error") this.reason = message.reason;
  }

  #ready() {
    this.isOpen = true;
    this.#tell("open");
  }

  #verdict(verdict) {
    this.wait = FIRST_WAIT;
    this.#tell("verdict", verdict);
  }

  // A network that goes away without a word leaves the socket open for many minutes.
  #watch() {
    clearTimeout(this.watch);
    const socket = this.socket;
    this.watch = setTimeout(() => this.#drop(socket, "The service has not answered for some time."), 1000 * PATIENCE);
  }

  #drop(socket, reason) {
    if (socket !== this.socket || this.isOver) return;
    this.socket = null;
    socket.close();
    this.#later(reason);
  }

  async #closed({ code, reason }) {
    const wasOpen = this.isOpen, why = reason || this.reason, { attempt } = this;
    Object.assign(this, { socket: null, isOpen: false });
    clearTimeout(this.watch);
    if (this.isOver || this.isEnding) return this.#end("");
    if (FINAL.has(code) && !wasOpen) return this.#end(why ? sentence(why) : "The service refused the stream.");
    if (wasOpen || code === BUSY) return this.#later(why ? sentence(why) : "The connection was lost.");
    const found = await this.#why();
    if (attempt === this.attempt) this.#later(found);
  }

  // Browsers do not say why a WebSocket was refused; what the service says of its model tells most of it.
  async #why() {
    try {
      const { live } = await this.check();
      if (live) return "The service takes no further stream at the moment.";
    } catch (error) {
      return error.message;
    }
    this.#end("This service offers no live genres any more.");
    return "";
  }

  #later(reason) {
    if (this.isOver) return;
    clearTimeout(this.watch);
    this.isOpen = false;
    this.#tell("lost", { reason, seconds: this.wait });
    this.timer = setTimeout(() => this.open(), 1000 * this.wait);
    this.wait = Math.min(LONGEST_WAIT, 2 * this.wait);
  }

  // There is no sound for a while; `open` goes on.
  pause() {
    const { socket } = this;
    clearTimeout(this.watch);
    clearTimeout(this.timer);
    Object.assign(this, { socket: null, isOpen: false, attempt: this.attempt + 1 });
    socket?.close();
  }

  // No more sound: the service sends its last verdict and closes.
  end() {
    clearTimeout(this.timer);
    if (!this.isOpen) return this.close();
    this.isEnding = true;
    this.socket.send(JSON.stringify({ end: true }));
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.close(), 1000 * AFTER_END);
  }

  close() {
    const { socket } = this;
    this.#end("");
    socket?.close();
  }

  #end(reason) {
    clearTimeout(this.watch);
    clearTimeout(this.timer);
    if (this.isOver) return;
    Object.assign(this, { isOver: true, isOpen: false });
    this.#tell("over", reason);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
