// The sound of one song, decoded by the browser: its length, its peaks, and a worker that keeps the samples.

const RATE = 22050, LOW = 11025, LONG = 1200; // Hz, Hz of songs beyond so many seconds
const MOST_SECONDS = 3 * 3600, MOST_BYTES = 400e6;

// Decode a file. Return a Sound, or null where the browser cannot.
export async function decode(file, signal) {
  const seconds = await lengthOf(file);
  if (seconds > MOST_SECONDS || file.size > MOST_BYTES || signal.aborted) return null;
  try {
    const context = new OfflineAudioContext(1, 1, seconds > LONG ? LOW : RATE);
    const buffer = await context.decodeAudioData(await file.arrayBuffer());
    if (signal.aborted || !buffer.length) return null;
    return await Sound.of(buffer, signal);
  } catch {
    return null;
  }
}

// Seconds of a file as its header has them, NaN where the browser does not know.
function lengthOf(file) {
  const audio = new Audio(), address = URL.createObjectURL(file);
  return new Promise((resolve) => {
    const done = (value) => (URL.revokeObjectURL(address), audio.removeAttribute("src"), resolve(value));
    audio.addEventListener("loadedmetadata", () => done(audio.duration));
    audio.addEventListener("error", () => done(NaN));
    audio.preload = "metadata";
    audio.src = address;
  });
}

export class Sound {
  // Fields: seconds, rate, peaks (pairs of bytes: largest magnitude, root mean square), step (samples of a peak).
  constructor(worker, rate) {
    Object.assign(this, { worker, rate, seconds: 0, peaks: null, step: 1, waiting: new Map(), next: 1 });
    worker.addEventListener("message", ({ data }) => {
      this.waiting.get(data.id)?.(data);
      this.waiting.delete(data.id);
    });
  }

  static async of(buffer, signal) {
    const worker = new Worker(new URL("./sound_worker.js", import.meta.url), { type: "module" });
    const sound = new Sound(worker, buffer.sampleRate);
    const channels = Array.from({ length: Math.min(2, buffer.numberOfChannels) }, (_, n) => buffer.getChannelData(n).slice());
    const { peaks, step } = await sound.ask({ job: "load", channels, rate: buffer.sampleRate }, channels.map((each) => each.buffer));
    if (signal.aborted) return sound.close(), null;
    return Object.assign(sound, { peaks, step, seconds: buffer.duration });
  }

  ask(message, moved = []) {
    const id = this.next++;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.worker.postMessage({ id, ...message }, moved);
    });
  }

  // Bytes of a tile of the spectrogram: see sound_worker.js.
  async tile(level, place) {
    return (await this.ask({ job: "tile", level, place })).bytes;
  }

  close() {
    this.worker.terminate();
  }
}
