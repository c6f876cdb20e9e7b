// The page: which bundles, what is asked, and a panel for each answer.

import { call, keepToken, Refusal, takeToken } from "./api.js";
import { byId, make, say } from "./dom.js";
import { cells, columnFields, fillCells, pictureSlots, read } from "./form.js";
import { Panel } from "./panel.js";

const state = { bundles: [], panels: [], pictures: [], expected: undefined, work: new AbortController() };
const ASKED = { text: "Question", table: "Text" };

async function start() {
  takeToken();
  try {
    state.bundles = (await call("bundles")).bundles;
  } catch (error) {
    byId("token-form").hidden = error.status !== 401;
    if (error.status !== 401) tell(error);
    else byId("token").focus();
    return;
  }
  byId("token-form").hidden = true;
  byId("ask").hidden = false;
  const names = state.bundles.map((one) => make("option", {}, one.name));
  byId("bundle").replaceChildren(...names);
  byId("choice").hidden = state.bundles.length < 2;
  await choose();
}

const main = () => state.bundles[byId("bundle").selectedIndex];

/** Another bundle: the form it needs, and its examples. */
async function choose() {
  const bundle = main();
  const others = state.bundles.filter((one) => one !== bundle && one.needs.join() === bundle.needs.join() && one.images === bundle.images);
  byId("other").replaceChildren(make("option", { value: "" }, "none"), ...others.map((one) => make("option", { value: one.name }, one.name)));
  byId("other").disabled = !others.length;
  state.pictures = Array(bundle.images).fill(null);
  state.expected = undefined;
  byId("pictures").hidden = bundle.images === 0;
  byId("pictures").querySelector("legend").textContent = bundle.images > 1 ? "Pictures" : "Picture";
  pictureSlots(bundle.images, (place, file) => take(place, file));
  byId("cells").hidden = !bundle.columns.length;
  columnFields(bundle.columns);
  byId("asking").querySelector("label").hidden = !bundle.needs.includes("text");
  byId("question-label").textContent = bundle.columns.length ? ASKED.table : bundle.images > 1 ? "Statement" : ASKED.text;
  byId("question").value = "";
  const cannot = bundle.needs.filter((role) => !["text", "images", "table"].includes(role));
  byId("send").disabled = cannot.length > 0;
  tell(cannot.length ? `This bundle reads ${cannot.join(", ")}: ask it by POST /predict.` : null);
  makePanels();
  await showExamples(bundle);
}

function makePanels() {
  const other = state.bundles.find((one) => one.name === byId("other").value);
  state.panels = [main(), other].filter(Boolean).map((bundle) => new Panel(bundle));
  const waiting = make("p", { class: "soft" }, "The answer will be here.");
  byId("panels").replaceChildren(...(state.pictures.some(Boolean) ? state.panels.map((panel) => panel.element) : [waiting]));
  byId("panels").classList.toggle("two", state.panels.length > 1);
}

async function showExamples(bundle) {
  const found = bundle.examples ? (await call(`examples?bundle=${encodeURIComponent(bundle.name)}`)).examples : [];
  byId("examples").hidden = !found.length;
  byId("strip").replaceChildren(
    ...found.map((example, place) => {
      const told = example.text ?? `row ${example.id}`;
      const shown = (example.images ?? []).map((source) => make("img", { src: source, alt: "" }));
      return make("button", { type: "button", class: shown.length ? "thumb" : "thumb plain", title: told, "aria-label": `Example ${place + 1}: ${told}`, onclick: () => useExample(example) }, shown.length ? shown : told);
    }),
  );
}

async function useExample(example) {
  byId("question").value = example.text ?? "";
  state.expected = undefined;
  if (example.table) fillCells(example.table);
  state.pictures = example.images ?? [];
  if (!(await showPictures())) return;
  state.expected = { value: example.expected, of: asked() };
  byId("question").focus({ preventScroll: true });
}

/** What is asked apart from pictures: an example's right answer holds only while it is the same. */
const asked = () => JSON.stringify([byId("question").value.trim(), cells()]);

async function take(place, file) {
  try {
    state.expected = undefined;
    state.pictures[place] = await read(file);
    await showPictures();
  } catch (error) {
    tell(error);
  }
}

/** The pictures in every panel, as soon as all are there. */
async function showPictures() {
  const signal = renew();
  tell(null);
  if (state.pictures.some((picture) => picture === null)) {
    say("One picture is there; one more is needed.");
    return false;
  }
  makePanels();
  byId("panels").replaceChildren(...state.panels.map((panel) => panel.element));
  try {
    const found = await Promise.all(state.panels.map((panel) => panel.showPictures(state.pictures, signal)));
    const count = found[0].reduce((total, view) => total + view.boxes.length, 0);
    if (main().finds_regions) say(`${count} regions found`);
    return true;
  } catch (error) {
    state.pictures = state.pictures.map(() => null);
    if (error.name !== "AbortError") makePanels();
    tell(error);
    return false;
  }
}

async function ask(event) {
  event.preventDefault();
  const bundle = main();
  const row = {};
  if (bundle.needs.includes("text")) row.text = byId("question").value.trim();
  if (bundle.columns.length) row.table = cells();
  if (bundle.images) row.images = state.pictures;
  if (bundle.images && state.pictures.some((picture) => picture === null)) return tell("First choose a picture, or one of the examples.");
  if (row.text === "") {
    byId("question").focus();
    return tell("First type something to ask.");
  }
  const signal = renew();
  tell(null);
  byId("panels").replaceChildren(...state.panels.map((panel) => panel.element));
  const expected = state.expected && state.expected.of === asked() ? state.expected.value : undefined;
  const done = await Promise.allSettled(state.panels.map((panel) => panel.ask(row, expected, signal)));
  const failed = done.find((one) => one.status === "rejected" && one.reason.name !== "AbortError");
  return failed && tell(failed.reason);
}

/** A new piece of work: what was still under way is given up. */
function renew() {
  state.work.abort();
  state.work = new AbortController();
  return state.work.signal;
}

/** What went wrong, in a sentence; null: nothing. */
function tell(problem) {
  if (problem?.name === "AbortError") return;
  if (problem instanceof Refusal && problem.status === 401) byId("token-form").hidden = false;
  if (problem instanceof Error && !(problem instanceof Refusal)) console.error(problem);
  byId("message").hidden = problem === null;
  byId("message").textContent = problem === null ? "" : (problem.message ?? problem);
}

byId("ask").addEventListener("submit", ask);
byId("bundle").addEventListener("change", choose);
byId("other").addEventListener("change", async () => {
  makePanels();
  if (state.pictures.length && state.pictures.every(Boolean)) await showPictures();
});
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(byId("token").value.trim());
  start();
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (!file || !state.pictures.length) return;
  const empty = state.pictures.indexOf(null);
  take(empty < 0 ? 0 : empty, file);
});
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => event.preventDefault()); // a file beside the place must not replace the page
}
document.addEventListener("drop", (event) => {
  if (event.dataTransfer?.files.length && !event.target.closest?.(".slot") && state.pictures.length === 1) take(0, event.dataTransfer.files[0]);
});
start();
