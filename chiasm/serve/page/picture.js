// A picture with its regions: numbered boxes that can be pointed at, under a veil that lifts where something matters.

import { make, roving, shares } from "./dom.js";

let drawn = 0;

/**
 * A figure of one picture. `view` has width, height and boxes in [0, 1]; `act(index, how)` is told of a region that is
 * pointed at ("enter"), left ("leave"), reached by the keyboard ("focus") or chosen ("pin").
 */
export class Picture {
  constructor(source, view, { label, act }) {
    this.name = `veil-${(drawn += 1)}`;
    this.boxes = view.boxes;
    this.what = view.patches ? "patch" : "region";
    this.height = (100 * view.height) / view.width;
    this.svg = make("svg", { viewBox: `0 0 100 ${this.height}`, role: "group", class: view.patches ? "patches" : "", "aria-label": `${view.boxes.length} ${view.patches ? "patches" : "regions"} of ${label}; arrow keys move` });
    this.veil = make("g");
    this.svg.append(this.veil);
    this.regions = view.boxes.map((box, index) => this.region(box, index, act));
    const order = [...view.boxes.keys()].sort((one, other) => area(view.boxes[other]) - area(view.boxes[one]));
    this.svg.append(...order.map((index) => this.regions[index])); // small boxes on top
    if (this.regions.length) roving(this.regions);
    const image = make("img", { src: source, alt: label, width: view.width, height: view.height });
    this.element = make("figure", { class: "picture" }, image, this.regions.length ? this.svg : null);
  }

  region(box, index, act) {
    const [x, y, width, height] = [box[0] * 100, box[1] * this.height, (box[2] - box[0]) * 100, (box[3] - box[1]) * this.height];
    const handlers = {
      onmouseenter: () => act(index, "enter"),
      onmouseleave: () => act(index, "leave"),
      onfocus: () => act(index, "focus"),
      onblur: () => act(index, "leave"),
      onclick: () => act(index, "pin"),
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        act(index, "pin");
      },
    };
    return make(
      "g",
      { class: "region", role: "button", "aria-pressed": "false", "aria-label": `${this.what} ${index + 1}`, "data-index": index, ...handlers },
      make("rect", { x, y, width, height, rx: 0.8, class: "box" }),
      this.what === "region" ? make("text", { x: x + 1.2, y: y + 5, class: "number", "aria-hidden": "true" }, String(index + 1)) : null,
    );
  }

  /** Shade the regions by `values` (null: not at all); `chosen` is drawn as the one that looks. */
  shade(values, chosen = null, pinned = false) {
    const parts = values === null ? this.boxes.map(() => 0) : shares(values);
    this.regions.forEach((region, index) => {
      const share = parts[index] ?? 0;
      const box = region.firstChild;
      box.style.setProperty("--strength", Math.abs(share).toFixed(3));
      region.classList.toggle("against", share < 0);
      region.classList.toggle("chosen", index === chosen);
      region.setAttribute("aria-pressed", String(index === chosen && pinned));
    });
    this.veil.replaceChildren();
    if (values === null || !parts.some((share) => share !== 0)) return;
    const sheet = () => make("rect", { width: 100, height: this.height });
    const white = sheet();
    white.style.setProperty("fill", "#fff");
    const holes = this.boxes.map(([x1, y1, x2, y2], index) => {
      const hole = make("rect", { x: x1 * 100, y: y1 * this.height, width: (x2 - x1) * 100, height: (y2 - y1) * this.height });
      hole.style.setProperty("fill", "#000");
      hole.style.setProperty("fill-opacity", index === chosen ? "0.8" : Math.abs(parts[index] ?? 0).toFixed(3));
      return hole;
    });
    const veil = sheet();
    veil.setAttribute("class", "veil");
    veil.setAttribute("mask", `url(#${this.name})`);
    this.veil.append(make("mask", { id: this.name }, white, ...holes), veil);
  }
}

const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
