// From the scores of a song to what `POST /v1/predict` answers.

import { segmentsOf } from "./segments.js";

// Return a RESULT of a song, given its scored windows, what the pooling gave, and its length in seconds.
export function resultOf(name, model, windows, pooled, seconds) {
  const scores = ranked(model.labels, pooled.scores);
  const [[genre, confidence]] = Object.entries(scores);
  return {
    name, genre, confidence, scores,
    labels: Object.keys(scores).filter((label) => scores[label] >= (model.thresholds[label] ?? Infinity)),
    unknown: pooled.unknown ?? false,
    tags: tagsOf(model.tags ?? {}, pooled.tags ?? []),
    seconds,
    silent: windows.filter((each) => each.silent).length / windows.length,
    warnings: warningsOf(model, windows, seconds),
    windows,
    segments: segmentsOf(windows, model.labels, seconds),
  };
}

function ranked(labels, scores) {
  const pairs = labels.map((label, place) => [label, scores[place]]);
  return Object.fromEntries(pairs.sort((one, other) => other[1] - one[1]));
}

function tagsOf(kinds, scores) {
  let at = 0;
  const named = Object.entries(kinds).map(([kind, tags]) => [kind, ranked(tags, scores.slice(at, (at += tags.length)))]);
  return Object.fromEntries(named);
}

// Reasons to doubt a prediction, in the words of the command line.
function warningsOf(model, windows, seconds) {
  const silent = windows.filter((each) => each.silent).length, count = windows.length, reasons = [];
  if (silent > count / 2) {
    const which = silent === count ? "silence" : "mostly silence";
    reasons.push(`${which}: nothing is louder than -60 dB of full scale in ${silent} of ${count} windows`);
  }
  const { window_seconds: window, local } = model;
  if (seconds < window - local.front.frame_seconds) {
    const filled = local.windows.repeat ? "repeated to fill it" : "padded with silence";
    reasons.push(`shorter than one window (${seconds.toFixed(2)} s of ${window.toFixed(2)} s), ${filled}`);
  }
  return reasons;
}
