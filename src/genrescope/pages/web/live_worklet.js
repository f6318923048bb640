// Makes blocks of a tenth of a second from sound: the mean of its channels in 16 bits, their highest amplitude, and their level (root mean square).

const BLOCK = 0.1; // seconds

class Live extends AudioWorkletProcessor {
  constructor() {
    super();
    this.#begin();
  }

  #begin() {
    Object.assign(this, { block: new Int16Array(Math.round(sampleRate * BLOCK)), filled: 0, peak: 0, squares: 0 });
  }

  process([channels]) {
    for (let at = 0; at < (channels[0]?.length ?? 0); at++) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.#put(sum / channels.length);
    }
    return true;
  }

  #put(sample) {
    this.peak = Math.max(this.peak, Math.abs(sample));
    this.squares += sample * sample;
    this.block[this.filled++] = Math.round(32767 * Math.max(-1, Math.min(1, sample)));
    if (this.filled < this.block.length) return;
    const { block, peak, squares } = this;
    this.port.postMessage({ block, peak, level: Math.sqrt(squares / block.length) }, [block.buffer]);
    this.#begin();
  }
}

registerProcessor("live", Live);
