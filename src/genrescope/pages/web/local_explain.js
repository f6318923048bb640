// Which parts of a song change a genre's score most when they are hidden: occlusion, as `inference/explain.py` has it.

import { joined, Resampler } from "./resampler.js";
import { framesOf, SampleWindow, startsOf } from "./window_plan.js";

const BANDS = 8, MOST_SPANS = 40, SPAN_SECONDS = 0.75;
const QUIET = 0.1; // the quantile of a band over the part that a hidden patch has

// Return {genre, start, end, times, bands, evidence} of a part of a song, given as mono samples at a rate.
export async function explain(model, { genre, start, rate, samples }, isStopped = () => false) {
  const { front, windows } = model.facts.local, label = model.facts.labels.indexOf(genre);
  if (label < 0) throw new Error(`genre "${genre}"; accepted are ${model.facts.labels.toSorted().join(", ")}`);
  const resampler = new Resampler(rate, model.facts.sample_rate);
  const sound = joined(resampler.push(samples), resampler.end()), count = framesOf(front, sound.length);
  const voting = await votingOf(model, sound, startsOf(count, windows), count);
  const quiet = quietOf(await framesIn(model, sound, count), windows.features);
  const grid = gridOf(count, model.facts.local), evidence = [];
  const before = (await model.pooled(voting.map((each) => each.row), voting.map(() => false))).scores[label];
  for (let band = 0; band < grid.features.length - 1; band++) {
    evidence.push([]);
    for (let span = 0; span < grid.frames.length - 1 && !isStopped(); span++) {
      const patch = { frames: grid.frames.slice(span, span + 2), features: grid.features.slice(band, band + 2) };
      evidence[band].push(before - (await scoreWithout(model, voting, patch, quiet, label)));
    }
  }
  const times = grid.frames.map((frame) => start + frame * front.frame_seconds);
  return { genre, start, end: times.at(-1), times, bands: front.bands, evidence };
}

// The windows that are averaged, each with its image and its logits; `inside` frames of it lie in the part.
async function votingOf(model, sound, starts, count) {
  const scored = [];
  for (const [place, found] of (await imagesOf(model, sound, starts, count)).entries()) {
    const inside = Math.min(model.facts.local.windows.length, count - starts[place]);
    scored.push({ ...found, start: starts[place], inside, row: await model.logits(found.image) });
  }
  const sounding = scored.filter((each) => !each.silent);
  return sounding.length ? sounding : scored;
}

async function imagesOf(model, sound, starts, count) {
  const waiting = new SampleWindow(model.facts.local.front), found = [];
  waiting.push(sound);
  waiting.ended = true;
  for (const start of starts) found.push(await model.window(waiting.under(start), count - start));
  return found;
}

// The values of each feature in all frames of the part.
async function framesIn(model, sound, count) {
  const { length, features } = model.facts.local.windows;
  const starts = Array.from({ length: Math.ceil(count / length) }, (_, place) => place * length);
  const images = await imagesOf(model, sound, starts, count);
  return Array.from({ length: features }, (_, feature) =>
    images.flatMap(({ image }, place) => {
      const row = feature * length;
      return [...image.subarray(row, row + Math.min(length, count - place * length))];
    }),
  );
}

function quietOf(rows) {
  return rows.map((row) => {
    const sorted = Float32Array.from(row).sort(), at = QUIET * (sorted.length - 1), low = Math.floor(at);
    return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
  });
}

function gridOf(count, { front, windows }) {
  const spans = Math.max(1, Math.round((count * front.frame_seconds) / SPAN_SECONDS));
  const edges = (length, parts) => Array.from({ length: parts + 1 }, (_, part) => Math.round((length * part) / parts));
  return {
    frames: edges(count, Math.min(spans, MOST_SPANS, count)),
    features: edges(windows.features, Math.min(BANDS, windows.features)),
  };
}

async function scoreWithout(model, voting, { frames: [first, end], features }, quiet, label) {
  const rows = [];
  for (const each of voting) {
    const touched = first < each.start + each.inside && end > each.start;
    const patch = { first: first - each.start, end: end - each.start, features };
    rows.push(touched ? await model.logits(hidden(each, patch, quiet, model.facts.local.windows)) : each.row);
  }
  return (await model.pooled(rows, rows.map(() => false))).scores[label];
}

// A window's image with a patch at the quiet level, also where the window repeats a short part.
function hidden({ image, inside }, { first, end, features: [low, high] }, quiet, { length, repeat }) {
  const copy = image.slice();
  for (let frame = 0; frame < (repeat ? length : inside); frame++) {
    const source = frame % inside;
    if (source < first || source >= end) continue;
    for (let feature = low; feature < high; feature++) copy[feature * length + frame] = quiet[feature];
  }
  return copy;
}
