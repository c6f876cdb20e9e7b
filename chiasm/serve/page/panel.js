// One bundle's answer: its picture with regions, its answers, and what looks at what.

import { answerBars, columnBars, faithfulness, verdict } from "./answers.js";
import { call } from "./api.js";
import { make, percent, roving, say, shares } from "./dom.js";
import { bestRegions } from "./crops.js";
import { isScore, largest, lookOf, matrix, waysToLook } from "./evidence.js";
import { Picture } from "./picture.js";

const WORDS = "Point at a word to see the words that it looks at.";
const HINT = "Point at a word to see its regions, at a region to see its words. With the keyboard: Tab and the arrow keys; Enter keeps a choice, Escape lets go.";

const LABELLED = 64; // rows and columns of a table that somebody reads

export class Panel {
  constructor(bundle) {
    this.bundle = bundle;
    this.explanation = null;
    this.pinned = null;
    this.pictures = [];
    this.words = [];
    this.stage = make("div", { class: "stage" });
    this.said = make("div", { class: "said", "aria-busy": "false" });
    this.element = make("article", { class: "panel card", "aria-label": `bundle ${bundle.name}` }, heading(bundle), make("div", { class: "body" }, this.stage, this.said));
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.pin(null));
  }

  /** The pictures, with the regions that this bundle finds in them. */
  async showPictures(sources, signal) {
    this.forget();
    this.sources = sources;
    const found = sources.length ? await call("regions", { bundle: this.bundle.name, images: sources }, { signal }) : { views: [] };
    this.draw(found.views);
    return found.views;
  }

  /** Asks: the answer first, then, when it is there, why. */
  async ask(row, expected, signal) {
    this.forget();
    this.said.setAttribute("aria-busy", "true");
    this.said.replaceChildren(make("p", { class: "soft" }, "Asking …"));
    const body = { ...row, bundle: this.bundle.name };
    try {
      const answer = await call("predict", body, { signal });
      const waiting = make("p", { class: "soft" }, "Looking for reasons …");
      this.said.replaceChildren(...[verdict(answer, expected), answerBars(answer), waiting].filter(Boolean));
      say(`${this.bundle.name} answers ${answer.answer}`);
      this.explanation = await call("explain", { ...body, attention: true }, { signal });
      waiting.remove();
      this.draw(this.explanation.views);
      this.reasons();
    } catch (error) {
      if (error.name !== "AbortError") this.said.replaceChildren(make("p", { class: "message" }, error.message));
      throw error;
    } finally {
      this.said.setAttribute("aria-busy", "false");
    }
  }

  forget() {
    this.explanation = this.pinned = null;
    this.words = [];
    this.said.replaceChildren();
    for (const picture of this.pictures) picture.shade(null);
  }

  draw(views) {
    const act = (view) => (index, how) => this.act({ stream: "regions", index, view }, how);
    const label = (view) => (views.length > 1 ? `picture ${view + 1}` : "the picture");
    this.pictures = views.map((found, view) => new Picture(this.sources[view], found, { label: label(view), act: act(view) }));
    this.stage.replaceChildren(...this.pictures.map((picture) => picture.element));
    this.stage.classList.toggle("two", views.length > 1);
    this.element.classList.toggle("blind", !views.length);
  }

  /** The shaded question, the choices of what is shown, and the scores. */
  reasons() {
    const { explanation } = this;
    this.ways = waysToLook(explanation);
    this.words = explanation.words.map((word, index) => this.word(word, index));
    if (this.words.length) roving(this.words);
    const spaced = this.words.flatMap((word, index) => [index && explanation.words[index].space ? " " : "", word]);
    this.note = make("p", { class: "note" });
    this.score = make("div", { class: "score" });
    this.columns = make("div");
    this.heat = make("div", { class: "heat" });
    this.method = select("Shaded by", explanation.attributions.map((one) => one.title), () => this.rest());
    this.way = select("Attention or match", this.ways.map((way) => way.label), () => this.layers());
    this.layer = select("Layer", [], () => this.again());
    this.head = select("Head", [], () => this.again());
    const tools = [explanation.attributions.length && this.method.label, ...(this.ways.length ? [this.way.label, this.layer.label, this.head.label] : [])];
    const weights = make("details", { ontoggle: () => this.heatMaps() }, make("summary", {}, "The weights"), this.heat);
    this.open = weights;
    this.said.append(
      ...[
        this.words.length && make("p", { class: "words", role: "group", "aria-label": "Words; arrow keys move" }, spaced),
        this.note,
        make("div", { class: "tools" }, ...tools.filter(Boolean)),
        this.columns,
        this.score,
        this.ways.length && weights,
      ].filter(Boolean),
    );
    this.layers();
    this.rest();
  }

  word(word, index) {
    const item = { stream: "text", index, view: 0 };
    const tell = (how) => () => this.act(item, how);
    const handlers = { onmouseenter: tell("enter"), onmouseleave: tell("leave"), onfocus: tell("focus"), onblur: tell("leave"), onclick: tell("pin") };
    return make("button", { type: "button", class: "word", "aria-pressed": "false", "data-index": index, ...handlers }, word.text);
  }

  /** What happened to a word or region: see `Picture`. */
  act(item, how) {
    if (!this.explanation) return;
    if (how === "pin") this.pin(same(this.pinned, item) ? null : item);
    else if (how === "leave") this.look(this.pinned);
    else this.look(item, how === "focus");
  }

  pin(item) {
    this.pinned = item;
    if (this.explanation) this.look(item, item !== null);
  }

  /** Shade by where the item looks; null: by relevance. */
  look(item, aloud = false) {
    this.now = item;
    if (item === null) return this.rest();
    const way = this.ways[this.way.select.selectedIndex];
    const found = way ? lookOf(this.explanation, way, item, this.layer.value(), this.head.value()) : null;
    this.shadeWords(found?.words ?? null, item.stream === "text" ? item.index : null);
    this.pictures.forEach((picture, view) =>
      picture.shade(found?.regions?.[view] ?? null, item.stream === "regions" && item.view === view ? item.index : null, same(this.pinned, item)),
    );
    const told = found ? this.told(item, found) : "This choice says nothing about it.";
    this.note.textContent = told;
    if (aloud) say(told);
    return undefined;
  }

  told(item, found) {
    const who = item.stream === "text" ? `“${this.explanation.words[item.index].text}”` : this.region(item.index, item.view);
    const best = found.words
      ? largest(found.words).map(({ index, value }) => `“${this.explanation.words[index].text}” ${percent(value, 0)}`)
      : largest(found.regions.flatMap((row) => row ?? [])).map(({ index, value }) => `${this.place(found.regions, index)} ${percent(value, 0)}`);
    return best.length ? `${who}: ${best.join(", ")}` : `${who}: nothing else`;
  }

  place(rows, index) {
    let left = index;
    for (const [view, row] of rows.entries()) {
      if (row && left < row.length) return this.region(left, view);
      left -= row ? row.length : 0;
    }
    return "";
  }

  region(index, view) {
    const { what } = this.pictures[view];
    return this.pictures.length > 1 ? `${what} ${index + 1} of picture ${view + 1}` : `${what} ${index + 1}`;
  }

  /** Shade by relevance, with its scores. */
  rest() {
    this.now = null;
    const one = this.explanation.attributions[this.method.select.selectedIndex];
    this.shadeWords(one?.words ?? null, null);
    this.pictures.forEach((picture, view) => picture.shade(one?.regions?.[view] ?? null));
    this.note.textContent = !this.ways.length ? "" : this.pictures.length ? HINT : WORDS;
    const told = one && faithfulness(one);
    const how = "Orange speaks for the answer, blue against it. Faithfulness: how much sooner the answer changes when what is shaded most is hidden first. The band is where random orders lie.";
    this.score.replaceChildren(...(told ? [make("p", { class: "soft" }, how), told] : []));
    const bars = one?.columns && [make("p", { class: "soft" }, "What the score loses without each column:"), columnBars(this.explanation.columns, one.columns)];
    this.columns.replaceChildren(...(bars ?? []));
  }

  shadeWords(values, chosen) {
    const parts = values === null ? this.words.map(() => 0) : shares(values);
    this.words.forEach((word, index) => {
      word.style.setProperty("--strength", Math.abs(parts[index]).toFixed(3));
      word.classList.toggle("against", parts[index] < 0);
      word.classList.toggle("chosen", index === chosen);
      word.setAttribute("aria-pressed", String(index === chosen && same(this.pinned, { stream: "text", index, view: 0 })));
    });
  }

  /** The layers and heads of the chosen way. */
  layers() {
    const way = this.ways[this.way.select.selectedIndex];
    if (!way) return;
    const map = Object.values(way.maps)[0];
    const numbered = (count) => ["mean of all", ...Array.from({ length: count }, (_, i) => String(i + 1))];
    this.layer.fill(numbered(map.layers));
    this.head.fill(numbered(map.heads));
    this.again();
  }

  again() {
    this.look(this.now ?? null);
    this.heatMaps();
  }

  heatMaps() {
    const way = this.ways?.[this.way.select.selectedIndex];
    if (!way || !this.open.open) return;
    const shown = (map, view) => {
      const values = matrix(map, view, this.layer.value(), this.head.value());
      const matched = isScore(map) && map.query === "text" && map.key === "regions" && this.sources[view];
      return [heatMap(map, values, view), ...(matched ? [bestRegions(this.explanation, values, view, this.sources[view])] : [])];
    };
    const tables = Object.values(way.maps).flatMap((map) => Array.from({ length: map.views }, (_, view) => shown(map, view)).flat());
    this.heat.replaceChildren(...tables);
  }
}

const same = (one, other) => Boolean(one && other && one.stream === other.stream && one.index === other.index && one.view === other.view);

function heading(bundle) {
  const { measured } = bundle;
  const told = measured && measured.value !== null ? `Measured: ${measured.metric} ${measured.value.toFixed(3)} (95 % interval ${measured.low.toFixed(3)} to ${measured.high.toFixed(3)}), ${measured.split} split, ${measured.n} cases.` : "";
  return make(
    "header",
    {},
    make("h2", {}, bundle.name, bundle.generated ? make("span", { class: "badge", title: "Numbers on it are a test bed, not a claim about real pictures." }, "generated world") : null),
    make("p", { class: "soft" }, [`${bundle.title}.`, told].filter(Boolean).join(" ")),
  );
}

/** A labelled select; the value is -1 for the first option of layers and heads, which is their mean. */
function select(name, options, changed) {
  const list = make("select", { onchange: changed });
  const fill = (names) => list.replaceChildren(...names.map((text) => make("option", {}, text)));
  fill(options);
  return { select: list, fill, label: make("label", {}, name, list), value: () => list.selectedIndex - 1 };
}

/** Rows look at columns, or match them; the darker, the more. */
function heatMap(map, values, view) {
  if (Math.max(values.length, values[0].length) > LABELLED) return make("p", { class: "soft" }, `${map.title}: ${values.length} × ${values[0].length} weights are too many for a table.`);
  const darkest = isScore(map) ? 1 : Math.max(2 / values[0].length, ...values.flat());
  const told = isScore(map) ? ", from 0, the lowest, to 100" : ", in percent";
  const known = (q, k) => map.kind !== "ranking" || k > q;
  const which = map.views > 1 ? `, picture ${view + 1}` : "";
  const head = make("tr", {}, make("td"), map.keys.map((name) => make("th", { scope: "col" }, make("span", {}, name))));
  const rows = values.map((row, q) =>
    make("tr", {}, make("th", { scope: "row" }, map.queries[q]), row.map((value, k) => (known(q, k) ? make("td", { style: { "--strength": (value / darkest).toFixed(3) } }, String(Math.round(100 * value))) : make("td")))),
  );
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${map.title}${which}` }, make("table", {}, make("caption", {}, `${map.title}${which}${told}`), head, rows));
}
