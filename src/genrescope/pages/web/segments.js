// Where the genre changes within a song: windows of one genre become segments, as `inference/segments.py` finds them.

const MARGIN = 0.2; // by how much the mean score of a passage of the shortest length must exceed that of its surroundings

// Return {start, end, genre, confidence} in order, without gaps, from 0 to the end of the song.
export function segmentsOf(windows, labels, seconds, shortest = 10) {
  if (windows.length === 0) return [];
  const middles = windows.map((each) => (each.start + each.end) / 2);
  const counted = windows.map(({ scores, silent }) => (silent ? scores.map(() => 0) : scores));
  const sounds = windows.some(({ silent }) => !silent);
  const path = best(sounds ? counted : windows.map(({ scores }) => scores), leastWindows(middles, shortest));
  const starts = path.flatMap((label, place) => (place === 0 || label !== path[place - 1] ? [place] : []));
  const edges = [0, ...starts.slice(1).map((place) => (middles[place - 1] + middles[place]) / 2), seconds];
  return starts.map((first, number) => {
    const label = path[first], inside = windows.slice(first, starts[number + 1] ?? windows.length);
    return { start: edges[number], end: edges[number + 1], genre: labels[label], confidence: mean(inside, label) };
  });
}

function leastWindows(middles, shortest) {
  if (middles.length < 2) return 1;
  return Math.max(1, Math.ceil(shortest / median(middles.slice(1).map((middle, n) => middle - middles[n])) - 1e-6));
}

function median(values) {
  const sorted = values.toSorted((one, other) => one - other), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function mean(windows, label) {
  const sounding = windows.filter(({ silent }) => !silent), counted = sounding.length ? sounding : windows;
  return counted.reduce((sum, { scores }) => sum + scores[label], 0) / counted.length;
}

// The label of each window: the highest sum of scores, less the cost of each change (dynamic programming).
function best(scores, least) {
  const count = scores.length, labels = scores[0].length, shortest = Math.min(least, count);
  const cost = (MARGIN * shortest) / 2; // a passage between two others has two changes
  const sums = [new Float64Array(labels)];
  for (const row of scores) sums.push(sums.at(-1).map((sum, label) => sum + row[label]));
  const total = Array.from({ length: count + 1 }, () => new Float64Array(labels).fill(-Infinity));
  const begun = Array.from({ length: count + 1 }, () => new Int32Array(labels));
  total[shortest].set(sums[shortest]);
  for (let end = shortest + 1; end <= count; end++) {
    const first = end - shortest, before = Math.max(...total[first]) - cost;
    for (let label = 0; label < labels; label++) {
      const fresh = before + sums[end][label] - sums[first][label];
      const longer = total[end - 1][label] + scores[end - 1][label];
      total[end][label] = Math.max(fresh, longer);
      begun[end][label] = fresh > longer ? first : begun[end - 1][label];
    }
  }
  const path = new Array(count);
  for (let end = count; end > 0; ) {
    const label = total[end].indexOf(Math.max(...total[end])), first = begun[end][label];
    path.fill(label, first, end);
    end = first;
  }
  return path;
}
