// Elements by function calls. Text is always text: nothing here reads markup.

const SVG = new Set(["svg", "g", "rect", "text", "mask", "title"]);

/** An element. `on...` are listeners, `style` holds properties, `class`, `hidden`, ... are what they say. */
export function make(name, given = {}, ...children) {
  const element = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [property, to] of Object.entries(value)) element.style.setProperty(property, to);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

export const percent = (value, digits = 1) => (value === null ? "–" : `${(100 * value).toFixed(digits)} %`);

/** Each value divided by the largest magnitude: in [-1, 1]; zeros when all are zero. */
export function shares(values) {
  const largest = Math.max(0, ...values.map(Math.abs));
  return values.map((value) => (largest > 0 ? value / largest : 0));
}

/** What a screen reader is told when nothing else says it. */
export function say(text) {
  byId("spoken").textContent = text;
}

/**
 * One tab stop for a group of items: arrow keys, Home and End move inside it. `items` are elements in order.
 */
export function roving(items) {
  items.forEach((item, place) => {
    item.setAttribute("tabindex", place === 0 ? "0" : "-1");
    item.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const ends = { Home: 0, End: items.length - 1 }[event.key];
      if (step === undefined && ends === undefined) return;
      event.preventDefault();
      const to = items[ends ?? (place + step + items.length) % items.length];
      items.forEach((other) => other.setAttribute("tabindex", other === to ? "0" : "-1"));
      to.focus();
    });
  });
}
