// The sample rate of an audio file, read from its header: a browser decodes at the rate that it is asked for, and
// only at the file's own does it not resample by its own means.

const USUAL = 44100;
const NEAR = 1 << 16; // bytes in which the head of a file is looked for
const MPEG = [44100, 48000, 32000];

// Return the samples per second of a file in memory; 44,100 where it does not say.
export function rateOf(buffer) {
  const bytes = new DataView(buffer);
  for (const read of [wave, flac, ogg, aiff, mp4, webm, mpeg]) {
    try {
      const rate = read(bytes);
      if (rate >= 3000 && rate <= 768000) return rate;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // the file is shorter than it should be
    }
  }
  return USUAL;
}

const text = (bytes, at, length = 4) => String.fromCharCode(...new Uint8Array(bytes.buffer, at, length));

function wave(bytes) {
  if (!["RIFF", "RF64"].includes(text(bytes, 0)) || text(bytes, 8) !== "WAVE") return null;
  for (let at = 12; ; at += 8 + bytes.getUint32(at + 4, true) + (bytes.getUint32(at + 4, true) % 2)) {
    if (text(bytes, at) === "fmt ") return bytes.getUint32(at + 12, true);
  }
}

function flac(bytes) {
  const at = id3Length(bytes);
  return text(bytes, at) === "fLaC" ? (bytes.getUint16(at + 18) << 4) | (bytes.getUint8(at + 20) >> 4) : null;
}

function ogg(bytes) {
  if (text(bytes, 0) !== "OggS") return null;
  const at = 27 + bytes.getUint8(26);
  if (text(bytes, at + 1, 6) === "vorbis") return bytes.getUint32(at + 12, true);
  if (text(bytes, at, 8) === "OpusHead") return 48000;
  if (text(bytes, at + 1) === "FLAC") return (bytes.getUint16(at + 27) << 4) | (bytes.getUint8(at + 29) >> 4);
  return null;
}

// The rate of an AIFF file is a float of 80 bits: an exponent, and 64 bits of which the first 32 are enough.
function aiff(bytes) {
  if (text(bytes, 0) !== "FORM") return null;
  for (let at = 12; ; at += 8 + bytes.getUint32(at + 4) + (bytes.getUint32(at + 4) % 2)) {
    if (text(bytes, at) !== "COMM") continue;
    return Math.round(bytes.getUint32(at + 18) * 2 ** (bytes.getUint16(at + 16) - 16383 - 31));
  }
}

// The sample entry of the sound; the index may stand at either end of the file.
function mp4(bytes) {
  if (text(bytes, 4) !== "ftyp") return null;
  for (const entry of ["mp4a", "Opus", "fLaC", "alac"]) {
    for (let at = find(bytes, entry, 0); at >= 0; at = find(bytes, entry, at + 4)) {
      const rate = bytes.getUint16(at + 28);
      if (rate >= 3000) return rate;
    }
  }
  return null;
}

function webm(bytes) {
  if (bytes.getUint32(0) !== 0x1a45dfa3) return null;
  const opus = find(bytes, "A_OPUS", 0);
  if (opus >= 0 && opus < NEAR) return 48000;
  for (let at = 0; at < Math.min(NEAR, bytes.byteLength - 9); at++) {
    if (bytes.getUint8(at) !== 0xb5) continue; // SamplingFrequency
    if (bytes.getUint8(at + 1) === 0x84) return Math.round(bytes.getFloat32(at + 2));
    if (bytes.getUint8(at + 1) === 0x88) return Math.round(bytes.getFloat64(at + 2));
  }
  return null;
}

function mpeg(bytes) {
  const begin = id3Length(bytes);
  for (let at = begin; at < Math.min(begin + NEAR, bytes.byteLength - 4); at++) {
    const head = bytes.getUint32(at);
    if (head >>> 21 !== 0x7ff) continue;
    const version = (head >> 19) & 3, layer = (head >> 17) & 3, bits = (head >> 12) & 15, rate = (head >> 10) & 3;
    if (layer === 0 && version >= 2) return adts(head); // AAC without a container
    if (version !== 1 && layer && bits && bits !== 15 && rate !== 3) return MPEG[rate] / { 3: 1, 2: 2, 0: 4 }[version];
  }
  return null;
}

const AAC = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000];
const adts = (head) => AAC[(head >> 10) & 15];

function id3Length(bytes) {
  if (text(bytes, 0, 3) !== "ID3") return 0;
  const size = [6, 7, 8, 9].reduce((sum, at) => (sum << 7) | (bytes.getUint8(at) & 127), 0);
  return size + 10 + (bytes.getUint8(5) & 16 ? 10 : 0);
}

function find(bytes, word, from) {
  const all = new Uint8Array(bytes.buffer), first = word.charCodeAt(0);
  for (let at = all.indexOf(first, from); at >= 0; at = all.indexOf(first, at + 1)) {
    if (text(bytes, at, Math.min(word.length, all.length - at)) === word) return at;
  }
  return -1;
}
