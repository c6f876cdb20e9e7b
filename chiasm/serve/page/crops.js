// Each word beside a picture of the region that matches it best.

import { make } from "./dom.js";

const [WIDEST, HIGHEST] = [96, 64]; // pixels of a crop

/** `values` are scores [token][region] of one picture, `source` its address. */
export function bestRegions(explanation, values, view, source) {
  const { boxes, width, height } = explanation.views[view];
  const figures = explanation.words.map((word) => {
    const scores = boxes.map((_, region) => Math.max(...word.positions.map((place) => values[place][region])));
    const best = scores.indexOf(Math.max(...scores));
    const told = `region ${best + 1}`;
    return make("figure", {}, crop(source, boxes[best], width, height, `${told}, best for ${word.text}`), make("figcaption", {}, word.text, " ", make("small", {}, told)));
  });
  return make("div", { class: "crops" }, figures);
}

function crop(source, [x1, y1, x2, y2], width, height, label) {
  const [across, down] = [Math.max((x2 - x1) * width, 1), Math.max((y2 - y1) * height, 1)];
  const scale = Math.min(WIDEST / across, HIGHEST / down);
  const style = {
    width: `${across * scale}px`,
    height: `${down * scale}px`,
    "background-image": `url("${source}")`,
    "background-size": `${width * scale}px ${height * scale}px`,
    "background-position": `${-x1 * width * scale}px ${-y1 * height * scale}px`,
  };
  return make("div", { class: "crop", role: "img", "aria-label": label, style });
}
