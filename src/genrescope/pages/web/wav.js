// Samples as a WAV file: 16 bits, one channel.

export function wavFile(samples, rate, name) {
  const head = new DataView(new ArrayBuffer(44)), bytes = samples.length * 2;
  const text = (at, letters) => [...letters].forEach((letter, n) => head.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, rate, true);
  head.setUint32(28, rate * 2, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  text(36, "data");
  head.setUint32(40, bytes, true);
  const whole = Int16Array.from(samples, (each) => Math.round(32767 * Math.max(-1, Math.min(1, each))));
  return new File([head, whole], name, { type: "audio/wav" });
}
