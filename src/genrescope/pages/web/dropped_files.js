// The songs among dropped or chosen files and folders, each with its path in the folder that was given.

export const ENDINGS = new Set(
  ("wav wave au snd aif aiff aifc caf w64 rf64 flac ogg oga opus spx mp3 mp2 mp1 mpga m4a m4b m4r mp4 aac wma asf wv ape " +
    "tta tak mpc dsf dts ac3 eac3 amr 3gp mka weba mkv webm mov avi m4v ogv flv ts m2ts mpg mpeg wmv").split(" "),
);
const SYSTEM = new Set([
  "$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx", "@eadir", "@recycle", "#recycle",
]);
const MOST_ENDINGS = 8; // that are named of files left out

const endingOf = (name) => (name.lastIndexOf(".") > 0 ? name.slice(name.lastIndexOf(".")).toLowerCase() : "without an ending");
const isHidden = (part) => part.startsWith(".") || SYSTEM.has(part.toLowerCase());
const isAudio = (name) => ENDINGS.has(endingOf(name).slice(1));

// What a folder holds: its songs in order, what was left out, and what could not be looked into.
class Found {
  constructor() {
    Object.assign(this, { songs: [], leftOut: new Map(), unreadable: [] });
  }

  // A file that was given by itself is taken whatever its ending; the engine says what is wrong with it.
  take(file, name, isInFolder) {
    const ending = endingOf(name);
    if (!isInFolder || isAudio(name)) this.songs.push({ file, name });
    else this.leftOut.set(ending, (this.leftOut.get(ending) ?? 0) + 1);
  }

  get note() {
    const left = [...this.leftOut].sort(([one, many], [other, few]) => few - many || (one < other ? -1 : 1));
    const total = left.reduce((sum, [, count]) => sum + count, 0), more = left.length - MOST_ENDINGS;
    const counts = left.slice(0, MOST_ENDINGS).map(([ending, count]) => `${count} ${ending}`).join(", ");
    const rest = more > 0 ? ` and ${more} more` : "", files = `${total} file${total === 1 ? "" : "s"}`;
    const notes = total ? [`${files} left out, whose endings are not taken for audio: ${counts}${rest}.`] : [];
    return [...notes, ...this.unreadable.map((path) => `${path} cannot be looked into.`)].join(" ");
  }
}

// Of an <input type="file">, with or without folders.
export function chosenFiles(files) {
  const found = new Found();
  for (const file of files) {
    const path = file.webkitRelativePath || file.name, parts = path.split("/");
    if (parts.length === 1 || !parts.slice(1).some(isHidden)) found.take(file, path, parts.length > 1);
  }
  found.songs.sort((one, other) => collated(one.name, other.name));
  return found;
}

// Of a drop; `onCount(songs)` says how many were found so far.
export async function droppedFiles(transfer, onCount = () => {}) {
  const found = new Found(); // the entries are taken at once: after the event there are none
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
  for (const entry of entries) await look(entry, found, onCount, true);
  return found;
}

async function look(entry, found, onCount, isGiven) {
  const path = entry instanceof File ? entry.name : entry.fullPath.replace(/^\//, "");
  try {
    if (entry instanceof File) found.take(entry, path, false);
    else if (entry.isDirectory) await lookInto(entry, found, onCount);
    else found.take(await new Promise((resolve, reject) => entry.file(resolve, reject)), path, !isGiven);
    onCount(found.songs.length);
  } catch {
    found.unreadable.push(path);
  }
}

async function lookInto(folder, found, onCount) {
  const reader = folder.createReader(), inside = [];
  const next = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
  for (let some = await next(); some.length; some = await next()) inside.push(...some); // at most 100 a time
  inside.sort((one, other) => collated(one.name, other.name));
  for (const entry of inside) if (!isHidden(entry.name)) await look(entry, found, onCount, false);
}

const { compare } = new Intl.Collator("en", { numeric: true });
const collated = (one, other) => compare(one, other);
