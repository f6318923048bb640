// Where a song may be found from this page, and why a browser did not play it.

const TYPES = {
  mp3: "audio/mpeg", m4a: "audio/mp4", mp4: "audio/mp4", aac: "audio/aac", flac: "audio/flac", wav: "audio/wav",
  ogg: "audio/ogg", oga: "audio/ogg", opus: "audio/ogg; codecs=opus", webm: "audio/webm", aif: "audio/aiff",
  aiff: "audio/aiff", wma: "audio/x-ms-wma", ape: "audio/x-ape", wv: "audio/x-wavpack", mpc: "audio/x-musepack",
}; // prettier-ignore

// Whether the page says where songs lie: one that a service shows does not.
export function hasFolders(songs) {
  return songs.page.folders.some((folder) => folder.address !== null);
}

// Addresses to try: beside the page, as it may have moved together with the music, then where the music was.
export function addresses(songs, song) {
  const folder = songs.page.folders[songs.folder[song]], file = songs.encoded(song);
  const found = folder.relative === null ? [] : [folder.relative + file];
  if (folder.address !== null && location.protocol === "file:") found.push(folder.address + file);
  return [...new Set(found)];
}

export function reason(songs, song, error) {
  const path = songs.path(song), ending = path.split(".").pop().toLowerCase(), type = TYPES[ending];
  if (error?.name === "NotAllowedError") return "The browser plays nothing before a click on this page. Press Play.";
  if (type && document.createElement("audio").canPlayType(type) === "") {
    return `This browser cannot play .${ending} files: ${path}`;
  }
  const why =
    location.protocol === "file:"
      ? "It has moved since the map was made, or this browser may not read local files, as on phones, or as a snap or flatpak"
      : "This page comes from a web server, and such pages may not read files of this computer: open it from the disk";
  return `The browser could not open ${path}. ${why}.`;
}
