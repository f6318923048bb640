// The engine of the service's page: songs go to the server that the page came from.

import { upload, Unreachable } from "./upload.js";

const PAUSE = 2; // seconds before the next try where the server names none
const GONE = "The service does not answer. Check that it runs, then try again.";
const BROKEN = "The service stopped before it had an answer. Try again.";

export class RemoteEngine {
  place = "server";

  // `ask(sentence)` asks a person for the token of a service that wants one, and gives it as a promise.
  constructor({ ask = async () => null, base = "" } = {}) {
    Object.assign(this, { ask, base, token: sessionStorage.getItem("token") });
  }

  async model() {
    return this.#json("v1/model");
  }

  // Classify a file by "all" of its windows, so that a timeline can be drawn, or by some that are spread over it.
  async predict(file, { signal, onEvent = () => {}, windows = "all" } = {}) {
    for (;;) {
      const { answer, result } = await this.#send(file, windows, signal, onEvent);
      if (result) return result;
      const pause = answer.retryAfter || PAUSE;
      onEvent({ event: "waiting", seconds: pause });
      await sleep(pause, signal);
    }
  }

  async explain(file, { genre, start, end, signal } = {}) {
    const address = `v1/explain?${new URLSearchParams({ genre, start, end })}`;
    const answer = await this.#allowed(() => this.#upload(address, form("file", file), { signal }));
    if (answer.status !== 200) throw new Error(await sentence(answer, file));
    return JSON.parse(answer.text);
  }

  // Songs of the library that the service was started on, where GET v1/model says that there is one.
  async librarySongs({ search = "", genre = "", limit = 50, offset = 0 } = {}) {
    return this.#json(`v1/library/songs?${new URLSearchParams({ search, genre, limit, offset })}`);
  }

  async similar(id) {
    return this.#json(`v1/library/similar?${new URLSearchParams({ id })}`);
  }

  // A WebSocket that takes 16-bit mono samples of a rate and gives verdicts, where GET v1/model says `live`.
  live(rate) {
    const address = new URL(`${this.base}v1/live?rate=${rate}`, document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    return this.token ? new WebSocket(address, ["genrescope", `token.${base64url(this.token)}`]) : new WebSocket(address);
  }

  async #send(file, windows, signal, onEvent) {
    let result = null, error = null;
    const onLine = (line) => {
      const event = parsed(line);
      if (event?.event === "result") result = event.result;
      else if (event?.event === "error") error = event.error;
      else if (event?.event) onEvent(event);
    };
    const onSent = (done, total) => onEvent({ event: "sending", done, total });
    const options = { headers: { Accept: "application/x-ndjson" }, signal, onSent, onLine };
    const send = () => this.#upload(`v1/predict?windows=${windows}`, form("files", file), options);
    const answer = await this.#allowed(send);
    if (error || (result && result.error)) throw new Error(error ?? result.error);
    if (!result && answer.status !== 503) throw new Error(await sentence(answer, file));
    return { answer, result };
  }

  async #upload(address, body, { headers = {}, ...options }) {
    try {
      return await upload(this.base + address, body, { headers: { ...headers, ...this.#bearer() }, ...options });
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      return { status: 0, text: "" };
    }
  }

  async #json(address) {
    const answer = await this.#allowed(async () => {
      try {
        const found = await fetch(this.base + address, { headers: this.#bearer() });
        return { status: found.status, text: await found.text() };
      } catch {
        return { status: 0, text: "" };
      }
    });
    if (answer.status !== 200) throw new Error(await sentence(answer));
    return JSON.parse(answer.text);
  }

  // Ask for the token as long as the server wants another; requests that run at once wait for one answer.
  async #allowed(request) {
    for (;;) {
      const used = this.token, answer = await request();
      if (answer.status !== 401) return answer;
      if (used === this.token) await this.#askOnce(used);
    }
  }

  async #askOnce(used) {
    const why = used ? "The service did not accept this token." : "This service wants a token.";
    this.asking ??= this.ask(why).finally(() => (this.asking = null));
    const token = await this.asking;
    if (!token) throw new Error(why);
    this.token = token;
    sessionStorage.setItem("token", token);
  }

  #bearer() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }
}

// The token in the letters that the name of a subprotocol may have.
function base64url(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function form(field, file) {
  const body = new FormData();
  body.append(field, file, file.name);
  return body;
}

// Say why there is no result: in the server's words, or in ours where it did not come to any.
async function sentence({ status, text }, file) {
  if (status === 0 && file && !(await isReadable(file))) {
    return "The file cannot be read. It may have been moved, renamed or deleted since it was dropped.";
  }
  if (status === 0) return GONE;
  if (status === 200) return BROKEN;
  const { detail, error } = parsed(text) ?? {};
  return [detail, error].find((each) => typeof each === "string") ?? `The service answered with the status ${status}.`;
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    const stop = () => (clearTimeout(timer), reject(new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", stop, { once: true });
  });
}
