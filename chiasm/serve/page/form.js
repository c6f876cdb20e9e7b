// What is asked: pictures dropped, chosen or pasted, the question, and the cells of a table.

import { byId, make } from "./dom.js";

/** A file as a data: address, with the bytes that it has. */
export function read(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^data:(?!image\/)[^,]*,/, "data:image/unknown;base64,"));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}

/** The places for pictures; `given(place, file)` is told of each file. */
export function pictureSlots(count, given) {
  const slots = Array.from({ length: count }, (_, place) => {
    const input = make("input", { type: "file", accept: "image/png,image/jpeg,image/webp,image/gif,image/bmp", id: `file-${place}`, class: "unseen" });
    input.addEventListener("change", () => {
      if (input.files.length) given(place, input.files[0]);
      input.value = ""; // the same file may be chosen again
    });
    const which = count > 1 ? ` ${place + 1}` : "";
    const told = make("span", {}, make("strong", {}, `Choose picture${which}`), " or drop one here");
    const slot = make("label", { class: "slot" }, input, told);
    dropTarget(slot, (file) => given(place, file));
    return slot;
  });
  byId("slots").replaceChildren(...slots);
}

function dropTarget(element, given) {
  const over = (event) => {
    event.preventDefault();
    element.classList.add("over");
  };
  element.addEventListener("dragenter", over);
  element.addEventListener("dragover", over);
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    if (event.dataTransfer.files.length) given(event.dataTransfer.files[0]);
  });
}

/** A field for each column of a table: numbers, and categories with their classes. */
export function columnFields(columns) {
  const missing = "-999999"; // how a missing cell is called among the classes
  const fields = columns.map((column) => {
    const id = `column-${column.name}`;
    const known = (column.classes ?? []).filter((name) => name !== missing);
    const field = column.classes
      ? make("select", { id, name: column.name }, make("option", { value: "" }, "missing"), known.map((name) => make("option", { value: name }, name)))
      : make("input", { id, name: column.name, type: "number", step: "any", placeholder: "missing" });
    return make("label", { for: id }, column.name, field);
  });
  byId("columns").replaceChildren(...fields);
}

/** Column name -> cell, as the fields say; null where nothing is said. */
export function cells() {
  const fields = [...byId("columns").querySelectorAll("select, input")];
  return Object.fromEntries(fields.map((field) => [field.name, field.value === "" ? null : field.type === "number" ? Number(field.value) : field.value]));
}

export function fillCells(table) {
  for (const field of byId("columns").querySelectorAll("select, input")) {
    const cell = table[field.name];
    field.value = cell === null || cell === undefined ? "" : String(cell);
  }
}
