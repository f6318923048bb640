// The mel scale (HTK's formula), and triangular filters on it, as the front ends of the models have.

export const toMel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
export const toHertz = (mel) => 700 * (10 ** (mel / 2595) - 1);
export const LOWEST = 40; // Hz, where the drawn axis begins

// Filters as {first, weights}: the first bin of the spectrum, and a weight for each from there on.
export function filters(bands, size, rate, highest = rate / 2) {
  const low = toMel(LOWEST), high = toMel(highest), bin = rate / size;
  const edges = Array.from({ length: bands + 2 }, (_, n) => toHertz(low + ((high - low) * n) / (bands + 1)));
  return Array.from({ length: bands }, (_, band) => triangle(edges[band], edges[band + 1], edges[band + 2], bin, size / 2));
}

// Where a triangle is narrower than a bin it takes the nearest one.
function triangle(left, middle, right, bin, last) {
  const first = Math.ceil(left / bin), end = Math.min(last, Math.floor(right / bin)), weights = [];
  for (let k = first; k <= end; k++) {
    const hertz = k * bin;
    weights.push(Math.max(0, hertz < middle ? (hertz - left) / (middle - left) : (right - hertz) / (right - middle)));
  }
  const sum = weights.reduce((all, each) => all + each, 0);
  if (!(sum > 0.05)) return { first: Math.min(last, Math.round(middle / bin)), weights: [1] };
  return { first, weights: weights.map((each) => each / sum) };
}
