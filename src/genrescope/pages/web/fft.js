// The power spectrum of windows of sound: a radix-2 transform of one size with its tables.

export class Spectrum {
  constructor(size) {
    this.size = size;
    this.hann = Float32Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
    this.cos = Float32Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sin = Float32Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    this.order = reversed(size);
    [this.real, this.imaginary] = [new Float32Array(size), new Float32Array(size)];
    this.power = new Float32Array(size / 2 + 1);
  }

  // Return the power of each frequency around a sample, (size / 2 + 1,); beyond the ends there is silence.
  at(samples, middle) {
    const { size, hann, order, real, imaginary } = this, first = middle - size / 2;
    for (let n = 0; n < size; n++) real[order[n]] = (samples[first + n] ?? 0) * hann[n];
    imaginary.fill(0);
    this.#transform();
    const { power } = this;
    for (let k = 0; k < power.length; k++) power[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
    return power;
  }

  #transform() {
    const { size, real, imaginary, cos, sin } = this;
    for (let half = 1, step = size / 2; half < size; half *= 2, step /= 2) {
      for (let block = 0; block < size; block += 2 * half) {
        for (let k = 0, turn = 0; k < half; k++, turn += step) {
          const one = block + k, other = one + half;
          const r = real[other] * cos[turn] + imaginary[other] * sin[turn];
          const i = imaginary[other] * cos[turn] - real[other] * sin[turn];
          real[other] = real[one] - r;
          imaginary[other] = imaginary[one] - i;
          real[one] += r;
          imaginary[one] += i;
        }
      }
    }
  }
}

function reversed(size) {
  const order = new Uint16Array(size), bits = Math.log2(size);
  for (let n = 0; n < size; n++) for (let bit = 0; bit < bits; bit++) if (n & (1 << bit)) order[n] |= 1 << (bits - 1 - bit);
  return order;
}
