// One request with an upload: how much was sent, and the lines of the answer as they come.

export class Unreachable extends Error {}

// `onSent(done, total)` in bytes; `onLine(text)` for each line of the answer. The promise has {status, retryAfter, text}.
export function upload(address, form, { headers = {}, signal, onSent = () => {}, onLine = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(), lines = new Lines(onLine);
    const answer = () => ({
      status: request.status, text: request.responseText, retryAfter: Number(request.getResponseHeader("Retry-After")),
    });
    request.open("POST", address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => onSent(event.loaded, event.total));
    request.addEventListener("progress", () => lines.read(request.responseText));
    request.addEventListener("load", () => (lines.end(request.responseText), resolve(answer())));
    request.addEventListener("error", () => reject(new Unreachable("no answer")));
    request.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    if (signal?.aborted) reject(new DOMException("stopped", "AbortError"));
    else request.send(form);
  });
}

class Lines {
  constructor(onLine) {
    this.onLine = onLine;
    this.place = 0;
  }

  read(text) {
    for (let end; (end = text.indexOf("\n", this.place)) >= 0; this.place = end + 1) this.#take(text.slice(this.place, end));
  }

  end(text) {
    this.read(text);
    this.#take(text.slice(this.place));
    this.place = text.length;
  }

  #take(line) {
    if (line.trim()) this.onLine(line);
  }
}
