// The songs of a page: lists of text, and columns of numbers as base64, little-endian.

const KINDS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };

export const UNKNOWN = 1, DOUBTFUL = 2, DUPLICATE = 4, TAG_DIFFERS = 8, CORRECTED = 16; // bits of `flags`
const NO_LENGTH = 65535;

function numbers(text) {
  const [kind, packed] = text.split(":");
  const bytes = atob(packed);
  const held = new Uint8Array(bytes.length);
  for (let place = 0; place < bytes.length; place++) held[place] = bytes.charCodeAt(place);
  return new KINDS[kind](held.buffer);
}

function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

export class Songs {
  constructor(page) {
    this.page = page;
    this.count = page.songs;
    this.genres = page.genres;
    for (const [name, text] of Object.entries(page.columns)) this[name] = numbers(text);
    this.each = this.count ? this.near.length / this.count : 0; // neighbours of a song
    this.texts = null;
  }

  title(song) {
    return this.page.titles[song] || this.page.files[song];
  }

  artistOf(song) {
    return this.page.artists[this.artist[song]];
  }

  albumOf(song) {
    return this.page.albums[this.album[song]];
  }

  tagsOf(song) {
    return this.page.tags[this.tag[song]];
  }

  name(song) {
    const artist = this.artistOf(song);
    return artist ? `${artist} - ${this.title(song)}` : this.title(song);
  }

  genreOf(song) {
    return this.genres[this.genre[song]].name;
  }

  has(song, flag) {
    return (this.flags[song] & flag) !== 0;
  }

  sure(song) {
    return this.confidence[song] / 10000;
  }

  length(song) {
    return this.seconds[song] === NO_LENGTH ? null : this.seconds[song];
  }

  scores(song) {
    const found = [];
    for (let place = song * 3; place < song * 3 + 3; place++) {
      if (this.scored[place]) found.push([this.genres[this.top[place]], this.scored[place] / 10000]);
    }
    return found;
  }

  reasons(song) {
    return this.page.reasons[song] || [];
  }

  neighbours(song) {
    return Array.from(this.near.subarray(song * this.each, (song + 1) * this.each));
  }

  path(song) {
    return this.page.folders[this.folder[song]].shown + this.page.files[song];
  }

  // The file's name as part of an address; names that are no UTF-8 come with the page.
  encoded(song) {
    return this.page.odd[song] || encodeURIComponent(this.page.files[song]);
  }

  // Everything that a search looks at, without case and accents; made when first asked for.
  text(song) {
    if (!this.texts) this.texts = Array.from({ length: this.count }, (_, place) => this.#words(place));
    return this.texts[song];
  }

  #words(song) {
    return plain([this.page.titles[song], this.artistOf(song), this.albumOf(song), this.page.files[song]].join("\n"));
  }

  matcher(query) {
    const words = plain(query).split(/\s+/).filter(Boolean);
    return (song) => words.every((word) => this.text(song).includes(word));
  }
}
