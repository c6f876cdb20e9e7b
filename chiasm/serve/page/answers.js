// Answers with bars, relevance of table columns, and how faithful a shading is.

import { make, percent, shares } from "./dom.js";

const LEAST = 0.0005; // of a runner-up's probability that is shown
const WHAT = { text: "words", regions: "regions", table: "columns", dialogue: "utterances" };

export const shown = (answer) =>
  Array.isArray(answer) ? answer.join(", ") || "none of the labels" : typeof answer === "number" ? String(+answer.toPrecision(4)) : String(answer);

const close = (one, other) => String(one).trim().toLowerCase() === String(other).trim().toLowerCase();

/** The answer, and whether it is the expected one where that is known. */
export function verdict(answer, expected) {
  const said = make("strong", { class: "answer" }, shown(answer.answer));
  if (expected === undefined || expected === null) return make("p", { class: "verdict" }, said);
  const right = close(shown(answer.answer), expected);
  return make(
    "p",
    { class: `verdict ${right ? "right" : "wrong"}` },
    said,
    make("span", { class: "pill" }, right ? "✓ right" : "✗ wrong"),
    right ? null : make("span", {}, " expected ", make("strong", {}, expected)),
  );
}

/** The answers with their probabilities, best first; a number has none. */
export function answerBars(answer) {
  const rows = answer.alternatives.filter((one, place) => place === 0 || one.probability >= LEAST);
  if (rows.length === 1 && typeof rows[0].answer === "number") return null;
  return make(
    "ol",
    { class: "answers", "aria-label": "Answers, best first" },
    rows.map((one) =>
      make(
        "li",
        {},
        make("span", { class: "name" }, shown(one.answer)),
        make("span", { class: "track" }, make("span", { class: "fill", style: { width: `${100 * Math.min(1, Math.max(0, one.probability ?? 0))}%` } })),
        make("span", { class: "value" }, percent(one.probability)),
      ),
    ),
  );
}

/** What the score loses without each column of a table: bars to the right speak for the answer. */
export function columnBars(names, values) {
  const parts = shares(values);
  const order = [...names.keys()].sort((one, other) => Math.abs(values[other]) - Math.abs(values[one]));
  return make(
    "ol",
    { class: "answers columns", "aria-label": "What the answer's score loses without each column" },
    order.map((index) =>
      make(
        "li",
        {},
        make("span", { class: "name" }, names[index]),
        make("span", { class: "track" }, make("span", { class: `fill ${parts[index] < 0 ? "against" : "for"}`, style: { width: `${100 * Math.abs(parts[index])}%` } })),
        make("span", { class: "value" }, values[index].toFixed(3)),
      ),
    ),
  );
}

/** How faithful a shading is: a dot on a scale from -1 to 1 over the band of random orders. */
export function faithfulness(attribution) {
  if (!attribution.faithfulness.length) return null;
  const rows = attribution.faithfulness.map((score) => {
    const what = WHAT[score.stream] ?? score.stream;
    const [low, high] = [score.random.low, score.random.high].map((value) => Math.min(1, Math.max(-1, value)));
    const told = `${what}: ${signed(score.area)}; random orders mostly ${signed(low)} to ${signed(high)}`;
    return make(
      "li",
      { title: told },
      make("span", { class: "name" }, what),
      make(
        "span",
        { class: "scale", role: "img", "aria-label": told },
        make("span", { class: "zero" }),
        make("span", { class: "band", style: { left: `${50 + 50 * low}%`, width: `${50 * (high - low)}%` } }),
        make("span", { class: "point", style: { left: `${50 + 50 * score.area}%` } }),
      ),
      make("span", { class: "value" }, signed(score.area)),
    );
  });
  return make("ul", { class: "faithful" }, rows);
}

const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
