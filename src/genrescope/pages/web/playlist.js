// A playlist of the kind M3U8 with absolute paths, since a browser decides where it is saved.

function line(song, songs) {
  const name = songs.name(song).replace(/\s+/g, " ");
  return `#EXTINF:${songs.length(song) ?? -1},${name}\n`;
}

// The path as text, or as bytes where the file's name is no UTF-8.
function pathOf(song, songs) {
  if (!songs.page.odd[song]) return [songs.path(song)];
  const bytes = songs.page.odd[song].replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return [songs.page.folders[songs.folder[song]].shown, Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))];
}

export function playlist(chosen, songs) {
  const lines = chosen.flatMap((song) => [line(song, songs), ...pathOf(song, songs), "\n"]);
  return new Blob(["#EXTM3U\n", ...lines], { type: "audio/x-mpegurl" });
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
