/** Review's settings: which class, what unselecting means, in which order, how large. */
import { byId, make, setText, settings } from "./dom.js";
import { areLong, shortName } from "./names.js";

/** @typedef {import("./api.js").BatchItem} BatchItem */

const NARROW = 720; // CSS pixels: a phone
const THREE_IN_A_ROW = "104"; // size of a thumbnail there, as good as it gets for a thumb
const LONGEST_NAME = 26; // characters, in a select
const SIZE_STEP = 24; // CSS pixels that + and - change the thumbnails by

/** @type {Record<string, (a: BatchItem, b: BatchItem) => number>} */
const ORDERS = {
  dataset: (a, b) => a.place - b.place,
  sure: (a, b) => a.score - b.score || a.place - b.place,
  similar: (a, b) => a.similar - b.similar,
};

/** The class to review, from the address; "" for whichever has most proposals. @returns {string} */
export const wantedClass = () => new URLSearchParams(location.search).get("label") ?? "";

/** @type {Record<string, number>} how many wait of each class, as last heard */
let counts = {};

/** @returns {string} "" when nothing waits */
const mostProposed = () => Object.keys(counts).reduce((most, name) => (counts[name] > (counts[most] ?? 0) ? name : most), "");

/**
 * @param {string[]} classes
 * @param {(label: string) => void} changed the class to go on with: the server would show an open batch again
 */
export function listenToClass(classes, changed) {
  const select = byId("class-choice");
  byId("review-tools").toggleAttribute("data-long", areLong());
  select.append(...classes.map((name) => make("option", { value: name, title: name }, shortName(name, LONGEST_NAME))));
  const show = () => { select.value = classes.includes(wantedClass()) ? wantedClass() : ""; };
  if (!classes.includes(wantedClass())) history.replaceState(null, "", location.pathname);
  show();
  select.addEventListener("change", () => {
    history.replaceState(null, "", select.value ? `?${new URLSearchParams({ label: select.value })}` : location.pathname);
    changed(select.value || mostProposed());
  });
}

/** Back to whichever class has most proposals. */
export function chooseAnyClass() {
  byId("class-choice").value = "";
  byId("class-choice").dispatchEvent(new Event("change"));
}

/** How many wait of each class. @param {Record<string, number>} proposed */
export function renderClassCounts(proposed) {
  counts = proposed;
  for (const option of byId("class-choice").options) {
    if (option.value) setText(option, `${shortName(option.value, LONGEST_NAME)} (${proposed[option.value] ?? 0})`);
  }
}

/** What a click on a ticked thumbnail turns it into. @param {string[]} classes @param {string} label the batch's own */
export function renderBrush(classes, label) {
  const others = classes.filter((name) => name !== label);
  const before = byId("brush").value;
  byId("brush").replaceChildren(make("option", { value: "" }, "just set aside"),
    ...others.map((name) => make("option", { value: name, title: name }, `it is ${shortName(name, LONGEST_NAME)}`)));
  byId("brush").value = others.includes(before) ? before : "";
}

/** The order that was chosen, in this batch or an earlier one. */
export const chosenOrder = () => ORDERS[byId("order").value] ?? ORDERS.dataset;

/** @param {import("./batchgrid.js").BatchGrid} grid */
export function listenToOrder(grid) {
  const select = byId("order");
  const kept = settings.get("review-order", "dataset");
  select.value = kept in ORDERS ? kept : "dataset";
  const show = () => { grid.root.dataset.order = select.value; };
  show();
  select.addEventListener("change", () => {
    settings.set("review-order", select.value);
    show();
    grid.sort(chosenOrder());
  });
}

/** @param {import("./batchgrid.js").BatchGrid} grid */
export function listenToSize(grid) {
  const slider = byId("size");
  const resize = () => {
    grid.setSize(Number(slider.value));
    if (grid.cells.length) slider.setAttribute("aria-valuetext", `${grid.columns} in a row`);
  };
  slider.value = settings.get("thumbnail-size", innerWidth <= NARROW ? THREE_IN_A_ROW : slider.value);
  slider.addEventListener("input", () => { settings.set("thumbnail-size", slider.value); resize(); });
  resize();
}

/** @param {string} key @returns {boolean} whether it was one for the size */
export function sizeKey(key) {
  const by = { "+": SIZE_STEP, "=": SIZE_STEP, "-": -SIZE_STEP }[key];
  if (!by) return false;
  const slider = byId("size");
  slider.value = String(Number(slider.value) + by);
  slider.dispatchEvent(new Event("input"));
  return true;
}
