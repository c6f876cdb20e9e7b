// What the weights of attention, or the scores of a match, say about one word or region. No drawing here.

/**
 * Ways to look at an explanation: each has a label and, by stream, the map in which an item of that stream looks at
 * others. The two directions of attention between words and regions make one way.
 */
export function waysToLook(explanation) {
  const maps = explanation.attention.filter((map) => map.weights).map(withPatches).map(withShades).filter((map) => isShown(map.query) && isShown(map.key));
  const ways = [];
  for (const map of maps) {
    const back = maps.find((other) => other.query === map.key && other.key === map.query && other.kind === map.kind && other !== map);
    if (map.query === map.key) ways.push({ label: map.title, maps: { [map.query]: map } });
    else if (!ways.some((way) => Object.values(way.maps).includes(map))) {
      const both = back && back.layers === map.layers ? { [map.query]: map, [map.key]: back } : { [map.query]: map };
      ways.push({ label: back ? "words ↔ regions" : map.title, maps: both });
    }
  }
  return ways.sort((one, other) => Object.keys(other.maps).length - Object.keys(one.maps).length);
}

const isShown = (stream) => stream === "text" || stream === "regions";

/** A map over whole images as one over regions: their patches, without the summary that comes first. */
function withPatches(map) {
  if (map.query !== "images" && map.key !== "images") return map;
  const [q, k] = [map.query === "images" ? 1 : 0, map.key === "images" ? 1 : 0];
  const cut = (matrix) => matrix.slice(q).map((row) => row.slice(k));
  const renamed = (stream) => (stream === "images" ? "regions" : stream);
  return {
    ...map,
    query: renamed(map.query),
    key: renamed(map.key),
    queries: map.queries.slice(q),
    keys: map.keys.slice(k),
    weights: map.weights.map((views) => views.map((heads) => heads.map(cut))),
  };
}

/** Affinities and rankings are scores, which may be below 0: 0 is then the lowest of a picture, 1 the highest. */
export const isScore = (map) => map.kind === "affinity" || map.kind === "ranking";

/** A map of scores with them between 0 and 1; a pair that is ranked once, above the diagonal, counts both ways. */
function withShades(map) {
  if (!isScore(map)) return map;
  const above = (q, k) => map.kind !== "ranking" || k > q;
  const shaded = (scores) => {
    const known = scores.flatMap((row, q) => row.filter((_, k) => above(q, k)));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const shade = (q, k) => (above(q, k) ? scores[q][k] - low : q === k ? 0 : scores[k][q] - low) / (high > low ? high - low : 1);
    return scores.map((row, q) => row.map((_, k) => shade(q, k)));
  };
  return { ...map, weights: map.weights.map((views) => views.map((heads) => heads.map(shaded))) };
}

/** (view) -> matrix [query][key] of one layer and head; -1 means their mean. */
export function matrix(map, view, layer, head) {
  const layers = layer < 0 ? map.weights : [map.weights[Math.min(layer, map.layers - 1)]];
  const chosen = layers.flatMap((one) => {
    const heads = one[Math.min(view, one.length - 1)];
    return head < 0 ? heads : [heads[Math.min(head, heads.length - 1)]];
  });
  return chosen[0].map((row, q) => row.map((_, k) => chosen.reduce((sum, one) => sum + one[q][k], 0) / chosen.length));
}

/**
 * Where a word or region looks: {words: number[] | null, regions: number[][] | null} (one list for each picture), or
 * null when this way says nothing about it. `item` is {stream, index, view}.
 */
export function lookOf(explanation, way, item, layer, head) {
  const own = way.maps[item.stream];
  const other = Object.values(way.maps)[0];
  if (!own && other.key !== item.stream) return null;
  const views = explanation.views.map((_, view) => view);
  const where = own ? own.key : other.query;
  const join = isScore(other) ? highest : sum; // of the pieces of a word
  const row = (view) => {
    const values = matrix(own || other, view, layer, head);
    if (item.stream === "text") return own ? (isScore(own) ? highest : mean)(positions(explanation, item.index).map((p) => values[p])) : join(positions(explanation, item.index).map((p) => values.map((line) => line[p])));
    return own ? values[item.index] : values.map((line) => line[item.index]);
  };
  if (isBetween(other)) {
    const pairs = views.flatMap((i) => views.slice(i + 1).map((j) => [i, j]));
    const beside = (view) => {
      const values = matrix(other, pairs.findIndex(([i, j]) => i === Math.min(view, item.view) && j === Math.max(view, item.view)), layer, head);
      return (view > item.view ? values[item.index] : values.map((line) => line[item.index])).slice(0, explanation.views[view].boxes.length);
    };
    return { words: null, regions: views.map((view) => (view === item.view ? null : beside(view))) };
  }
  if (where === "regions") {
    const seen = item.stream === "regions" ? views.filter((view) => view === item.view) : views;
    return { words: null, regions: views.map((view) => (seen.includes(view) ? row(view).slice(0, explanation.views[view].boxes.length) : null)) };
  }
  const tokens = item.stream === "regions" ? row(item.view) : mean((own || other).views > 1 ? views.map(row) : [row(0)]);
  return { words: explanation.words.map((word) => join(word.positions.map((p) => [tokens[p] ?? 0]))[0]), regions: null };
}

const positions = (explanation, index) => explanation.words[index].positions;
const isBetween = (map) => map.kind === "affinity" && map.query === map.key;
const highest = (rows) => rows[0].map((_, i) => Math.max(...rows.map((row) => row[i])));
const sum = (rows) => rows[0].map((_, i) => rows.reduce((total, row) => total + row[i], 0));
const mean = (rows) => sum(rows).map((value) => value / rows.length);

/** The largest few of a list, as [{index, value}], largest first. */
export function largest(values, count = 3) {
  return values
    .map((value, index) => ({ index, value }))
    .sort((one, other) => Math.abs(other.value) - Math.abs(one.value))
    .slice(0, count)
    .filter(({ value }) => value !== 0);
}
