// Local statistics on a page: what locmethods computes, for one target and some hundreds of keys, in the same numbers.
//
// Pure functions of arrays, without a document: tests/test_playground.py runs them beside the package. A query is an
// array of d numbers, keys an array of such arrays, values an array of numbers. A kernel is {name, length}, where the
// length is the bandwidth, the radius of a compact kernel, or the temperature of "Exponential". `album` asks pictures.
globalThis.localmean = (() => {
  // Loops rather than map and reduce where they run once for each pair: a slider asks at 912 places of a plane.
  const dot = (a, b) => {
    let sum = 0;
    for (let j = 0; j < a.length; j += 1) sum += a[j] * b[j];
    return sum;
  };
  // q·(k − r), which keeps its digits where all keys are long.
  const dotDifference = (query, key, reference) => {
    let sum = 0;
    for (let j = 0; j < query.length; j += 1) sum += query[j] * (key[j] - reference[j]);
    return sum;
  };
  const minus = (a, b) => a.map((value, j) => value - b[j]);
  const square = (a) => dot(a, a);
  const squareBetween = (a, b) => {
    let sum = 0;
    for (let j = 0; j < a.length; j += 1) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
  };
  // |q − k|² − |q − r|² as a product, which keeps its digits where both are large.
  const squareDifference = (query, key, reference) => {
    let sum = 0;
    for (let j = 0; j < query.length; j += 1) sum += (reference[j] - key[j]) * (2 * query[j] - key[j] - reference[j]);
    return sum;
  };
  const greatest = (array) => array.reduce((most, value) => (value > most ? value : most), -Infinity);
  const total = (array) => array.reduce((sum, value) => sum + value, 0);

  // Inside their radius: the logarithm of the kernel from u² = r²/R².
  const COMPACT = {
    Epanechnikov: (u2) => Math.log1p(-u2),
    Triangular: (u2) => Math.log1p(-Math.sqrt(u2)),
    Biweight: (u2) => 2 * Math.log1p(-u2),
    Tricube: (u2) => 3 * Math.log1p(-u2 * Math.sqrt(u2)),
    Flat: () => 0,
  };

  // With tails: log K(r) − log K(ρ) from r²/h² − ρ²/h² and ρ²/h², so that a target far from every key keeps its digits.
  const TAILED = {
    Gaussian: (more) => -more / 2,
    Laplace: (more, least) => {
      const both = Math.sqrt(Math.max(more + least, 0)) + Math.sqrt(least);
      return both > 0 ? -more / both : 0;
    },
    Cauchy: (more, least) => Math.log1p(least) - Math.log1p(Math.max(more + least, 0)),
  };
  const names = [...Object.keys(TAILED), ...Object.keys(COMPACT)];

  const nearest = (gaps) => gaps.reduce((best, gap, i) => (gap < gaps[best] ? i : best), 0);

  // log K up to a constant, and of a tailed kernel relative to the nearest key.
  const scores = ({ name, length }, query, keys) => {
    if (name === "Exponential") return keys.map((key) => dotDifference(query, key, keys[0]) / length);
    const gaps = keys.map((key) => squareBetween(query, key));
    if (name in COMPACT) {
      return gaps.map((gap) => {
        const inside = name === "Flat" ? gap <= length * length : gap / length / length < 1;
        return inside ? COMPACT[name](gap / length / length) : -Infinity;
      });
    }
    if (!(name in TAILED)) throw new Error(`no kernel is called ${name}; there are ${names.join(", ")} and Exponential`);
    const least = nearest(gaps);
    const formula = TAILED[name], from = gaps[least] / length / length;
    return keys.map((key) => formula(squareDifference(query, key, keys[least]) / length / length, from));
  };

  // K̃: weights that sum to one. Where no key is in reach the nearest one has all, those that tie share.
  const weights = (kernel, query, keys) => {
    const score = scores(kernel, query, keys);
    const top = greatest(score);
    let found;
    if (top === -Infinity) {
      const gaps = keys.map((key) => squareBetween(query, key));
      const least = gaps[nearest(gaps)];
      found = gaps.map((gap) => Number(gap === least));
    } else found = score.map((one) => Math.exp(one - top));
    const sum = total(found);
    return found.map((weight) => weight / sum);
  };

  const reaches = (kernel, query, keys) => greatest(scores(kernel, query, keys)) > -Infinity;

  const mean = (weight, values) => dot(weight, values);

  // The mean of values that are arrays of numbers.
  const means = (weight, rows) => {
    const sums = new Array(rows[0].length).fill(0);
    for (let i = 0; i < rows.length; i += 1) {
      for (let j = 0; j < sums.length; j += 1) sums[j] += weight[i] * rows[i][j];
    }
    return sums;
  };

  // 1/Σ w²: how many equal weights would make a mean as noisy.
  const size = (weight) => 1 / square(weight);

  // The least value whose keys, and those below, hold the share q of the weight; rounding of n additions counts as q.
  const quantile = (weight, values, q) => {
    const order = values.map((_, i) => i).sort((i, j) => values[i] - values[j] || i - j);
    let share = 0;
    for (const i of order) {
      share += weight[i];
      if (share >= q - 4 * order.length * 2.3e-16) return values[i];
    }
    return values[order[0]];
  };

  // The label with the most weight, the smallest of those that tie.
  const vote = (weight, labels) => {
    const heavy = new Map([...new Set(labels)].sort((a, b) => a - b).map((label) => [label, 0]));
    labels.forEach((label, i) => heavy.set(label, heavy.get(label) + weight[i]));
    return [...heavy].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
  };

  // The Gaussian between all values, kept for the next target: a curve asks for it at each.
  let kept = { values: null, width: 0, among: [] };
  const amongValues = (values, width) => {
    if (kept.values !== values || kept.width !== width) {
      const among = values.map((a) => values.map((b) => Math.exp(-(((a - b) / width) ** 2) / 2)));
      kept = { values, width, among };
    }
    return kept.among;
  };

  // Where Σ w exp(−(v − vᵢ)²/2h²) is largest: climbed to by local means from the best values, each the best of those
  // that no place climbed from so far is near. Where a climb shrinks its error to no less than 0.999 of it at a step,
  // the last step, 1e-13 of the spread, leaves 1e-10 of it.
  const mode = (weight, values, width, { step = 1e-13, steps = 20000, peaks = 8, share = 0.5 } = {}) => {
    const among = amongValues(values, width), logWeight = weight.map(Math.log);
    const spread = greatest(values) + greatest(values.map((value) => -value)) || 1;
    const logDensity = (place) => {
      const score = values.map((value, i) => logWeight[i] - ((place - value) / width) ** 2 / 2);
      const top = greatest(score);
      return top === -Infinity ? top : top + Math.log(total(score.map((one) => Math.exp(one - top))));
    };
    const climbed = (start) => {
      let place = start;
      for (let count = 0; count < steps; count += 1) {
        const score = values.map((value, i) => logWeight[i] - ((place - value) / width) ** 2 / 2);
        const top = greatest(score);
        const near = score.map((one) => Math.exp(one - top));
        const ahead = dot(near, values) / total(near);
        const moved = Math.abs(ahead - place);
        place = ahead;
        if (moved <= step * spread) break;
      }
      return place;
    };
    const height = among.map((row) => dot(row, weight));
    let best = values[0], level = -Infinity;
    for (let count = 0; count < Math.min(peaks, values.length); count += 1) {
      const start = height.indexOf(greatest(height));
      if (Math.log(height[start]) < level - Math.log(2)) break; // no peak worth climbing is left
      const place = climbed(values[start]), reached = logDensity(place);
      if (reached > level) { best = place; level = reached; }
      among[start].forEach((near, i) => { if (near > share) height[i] = 0; });
    }
    return best;
  };

  // Slopes of columns of length one, or zero, as a pseudo-inverse: Gram and Schmidt, of one column or two.
  const pseudoInverse = ([first, second], rcond = 1e-10) => {
    if (!second) return [first];
    if (square(first) === 0) return [first, second];
    const inner = dot(first, second);
    let rest = second.map((value, i) => value - inner * first[i]);
    const again = dot(first, rest); // once more: what is left of nearly parallel columns is rounded
    rest = rest.map((value, i) => value - again * first[i]);
    const left = Math.sqrt(square(rest));
    if (left <= rcond) return [1, inner].map((part) => first.map((value) => value * part / (1 + inner * inner)));
    const along = rest.map((value) => value / left / left);
    return [first.map((value, i) => value - (inner + again) * along[i]), along];
  };

  // A difference of coordinates that is rounding beside them is none.
  const apart = (a, b) => (Math.abs(a - b) <= 4 * Number.EPSILON * Math.max(Math.abs(a), Math.abs(b)) ? 0 : a - b);

  // The local line, or plane, at the query: {value, gradient}. Keys are counted from the heaviest one. A window that
  // does not carry a slope, one whose values would come in more than a million times as large, gives the local mean.
  const line = (weight, query, keys, values) => {
    const heavy = weight.indexOf(greatest(weight)), share = 1 / (1 + Math.sqrt(weight[heavy]));
    const gaps = keys.map((key) => key.map((value, j) => apart(value, keys[heavy][j])));
    const centre = query.map((_, j) => dot(weight, gaps.map((gap) => gap[j])));
    const columns = query.map((_, j) => gaps.map((gap, i) => (i === heavy ? 0
      : (gap[j] - centre[j] * share) * Math.sqrt(weight[i]))));
    const lengths = columns.map((column) => Math.sqrt(square(column)));
    const units = lengths.map((length) => (length > 0 ? 1 / length : 0));
    const inverse = pseudoInverse(columns.map((column, j) => column.map((value) => value * units[j])));
    const slopes = inverse.map((row, j) => {
      const half = row.map((value, i) => value * units[j] * Math.sqrt(weight[i]));
      const sum = total(half);
      const full = half.map((value, i) => (i === heavy ? 0 : value - sum * share * weight[i]));
      full[heavy] = -total(full);
      return full;
    });
    const lever = query.map((value, j) => value - keys[heavy][j] - centre[j]);
    const sizes = 1 + total(lever.map((gap, j) => Math.abs(gap) * total(slopes[j].map(Math.abs))));
    if (!(sizes <= 1e6)) return { value: mean(weight, values), gradient: query.map(() => 0) };
    const gradient = slopes.map((row) => dot(row, values));
    return { value: mean(weight, values) + dot(lever, gradient), gradient };
  };

  // Mean shift: the targets on the way from the query to where its local mean of the keys moves it no more.
  const climb = (kernel, query, keys, { tolerance = 1e-3, steps = 300 } = {}) => {
    const path = [query];
    for (let count = 0; count <= steps; count += 1) {
      const here = path[path.length - 1];
      if (!reaches(kernel, here, keys)) break;
      const there = means(weights(kernel, here, keys), keys);
      path.push(there);
      if (Math.sqrt(square(minus(there, here))) <= tolerance * kernel.length) break;
    }
    return path;
  };

  // A memory's recall: states move to their local means of the patterns until no number of a state moves by more than
  // the tolerance times the length of the longest pattern. Yields all of them after each step, and says at the end
  // whether they have settled.
  const settling = function* settling(kernel, states, patterns, { tolerance = 1e-5, steps = 3000 } = {}) {
    const least = tolerance * Math.sqrt(greatest(patterns.map(square))), here = states.slice();
    let moving = here.map((_, i) => i);
    for (let count = 0; count < steps && moving.length; count += 1) {
      moving = moving.filter((i) => {
        const before = here[i];
        here[i] = means(weights(kernel, before, patterns), patterns);
        return greatest(minus(here[i], before).map(Math.abs)) > least;
      });
      yield here;
    }
    return !moving.length;
  };

  const unit = (vector) => {
    const norm = Math.sqrt(square(vector));
    return vector.map((value) => value / norm);
  };

  // What is compared of a picture, whose rows stand one after the other.
  const VIEWS = {
    pictures: (picture) => picture,
    directions: unit,
    "upper halves": (picture) => unit(picture.slice(0, picture.length / 2)),
  };

  // Pictures of whole sixteenths of white, a character of base 17 for each pixel.
  const pictures = (text, pixels) => Array.from({ length: text.length / pixels }, (_, i) => (
    Array.from(text.slice(i * pixels, (i + 1) * pixels), (grey) => parseInt(grey, 17) / 16)));

  // Pictures that are asked under a width, and what answers: the mean of the known ones, once, or fed back until it
  // settles if `again` is a tolerance. `grain` is noise of size one, which comes in the size of the width. An inverse
  // width is one over the kernel's length.
  const album = ({ known, asked, pixels, grain, kernel, compares, inverse, again }) => {
    const view = VIEWS[compares], clean = pictures(asked, pixels), all = pictures(known, pixels);
    const compared = all.map(view);
    const kernelOf = (width) => ({ name: kernel, length: inverse ? 1 / width : width });
    const shown = (width) => clean.map((picture, i) => (
      grain ? picture.map((value, j) => value + width * grain[i][j]) : picture));
    const answers = function* answers(width) {
      const states = shown(width).map(view);
      if (again) return yield* settling(kernelOf(width), states, compared, { tolerance: again });
      yield states.map((state) => means(weights(kernelOf(width), state, compared), all));
      return true;
    };
    // How many equal weights the answers' are worth.
    const sizes = (width, answered) => (again ? answered : shown(width).map(view))
      .map((state) => size(weights(kernelOf(width), state, compared)));
    return { answers, count: all.length, shown, sizes };
  };

  return { album, climb, compact: Object.keys(COMPACT), line, mean, mode, names, quantile, size, vote, weights };
})();
