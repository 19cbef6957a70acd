/** The learning curve: accuracy with its 95% band against labels, read off by pointer, keyboard or as a table. */
import { byId, make, setText } from "./dom.js";
import { intervalText, percent, plural } from "./format.js";
import { MARGIN, axes, onWidth, path, shape, table, ticks } from "./svg.js";

/** @typedef {{version: number, labels: number, accuracy: number|null, low: number, high: number, n: number}} Row */

const HEIGHT = 280;

/**
 * The newest model of each number of labels that was measured, by that number.
 * @param {Row[]} rows in the order of their versions @returns {Row[]}
 */
export function curvePoints(rows) {
  const byLabels = new Map(rows.filter(({ accuracy }) => accuracy !== null).map((row) => [row.labels, row]));
  return [...byLabels.values()].sort((one, other) => one.labels - other.labels);
}

/** @param {Row} row */
const reading = (row) => `${plural(row.labels, "label")}: ${percent(Number(row.accuracy))} (${intervalText(row)}), n = ${row.n}, model ${row.version}`;

export class LearningCurve {
  /** @type {Row[]} */ points = [];
  at = 0;
  serving = 0; // the version that serves
  isFree = false; // someone reads off another than that

  constructor() {
    this.box = byId("curve");
    this.reader = byId("curve-at");
    this.details = byId("curve-table");
    onWidth(this.box, () => this.#draw());
    this.reader.addEventListener("input", () => { this.isFree = true; this.#read(Number(this.reader.value)); });
    this.box.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.#onPointer(event));
    this.box.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.#onPointer(event));
    // a curve may have thousands of rows: they are made when someone wants them
    this.details.addEventListener("toggle", () => this.#fillTable());
  }

  /** @param {Row[]} rows one for each model @param {number} serving the version that serves */
  show(rows, serving) {
    this.points = curvePoints(rows);
    this.serving = serving;
    const isShort = this.points.length < 2;
    this.reader.max = String(Math.max(this.points.length - 1, 0));
    byId("curve-reader").hidden = isShort;
    this.details.hidden = !this.points.length;
    setText(byId("curve-note"), isShort ? "The curve begins with the second model that was measured, on 5 held-out labels or more."
      : "Accuracy on held-out items with its 95% interval, against the labels given.");
    const at = this.points.findIndex(({ version }) => version === serving);
    this.#read(this.isFree || at < 0 ? Math.min(this.at, this.points.length - 1) : at);
    this.#draw();
    this.#fillTable();
  }

  #draw() {
    const width = this.box.clientWidth;
    if (this.points.length < 2 || !width) { this.box.replaceChildren(); return; }
    const first = this.points[0], last = this.points[this.points.length - 1];
    const floor = Math.floor(Math.min(...this.points.map(({ low }) => low)) * 10) / 10;
    const { svg, toX, toY } = axes({
      name: "curve", title: "Accuracy against labels", width, height: HEIGHT,
      description: `From ${reading(first)}, to ${reading(last)}. All values are in the table below.`,
      x: { domain: [first.labels, last.labels], label: "labels", ticks: ticks(first.labels, last.labels, width / 90), format: String },
      y: { domain: [floor, 1], label: "accuracy", ticks: ticks(floor, 1, 5), format: (value) => percent(value, 0) },
    });
    const band = [...this.points.map(({ labels, high }) => [toX(labels), toY(high)]),
      ...this.points.toReversed().map(({ labels, low }) => [toX(labels), toY(low)])];
    svg.append(shape("path", { class: "band", d: `${path(band)}Z` }),
      shape("path", { class: "curve-line", d: path(this.points.map(({ labels, accuracy }) => [toX(labels), toY(Number(accuracy))])) }));
    const serving = this.points.find(({ version }) => version === this.serving);
    if (serving) svg.append(shape("circle", { class: "curve-serving", cx: toX(serving.labels), cy: toY(Number(serving.accuracy)), r: 5 }, shape("title", {}, `model ${serving.version} serves`)));
    this.cursor = shape("g", { class: "cursor" }, shape("line", { y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, x1: 0, x2: 0 }), shape("circle", { r: 4 }));
    svg.append(this.cursor);
    this.scales = { toX, toY };
    this.box.replaceChildren(svg);
    this.#moveCursor();
  }

  #moveCursor() {
    const row = this.points[this.at];
    if (!row || !this.scales || !this.cursor) return;
    this.cursor.setAttribute("transform", `translate(${this.scales.toX(row.labels)} 0)`);
    this.cursor.lastChild.setAttribute("cy", this.scales.toY(Number(row.accuracy)));
  }

  /** @param {number} at */
  #read(at) {
    this.at = Math.max(at, 0);
    const row = this.points[this.at];
    this.reader.value = String(this.at);
    const text = row ? reading(row) : "";
    setText(byId("curve-value"), text);
    this.reader.setAttribute("aria-valuetext", text);
    this.#moveCursor();
  }

  /** @param {PointerEvent} event */
  #onPointer(event) {
    if (this.points.length < 2 || !this.scales) return;
    const x = event.clientX - this.box.getBoundingClientRect().left;
    this.isFree = true;
    const distances = this.points.map(({ labels }) => Math.abs(/** @type {any} */ (this.scales).toX(labels) - x));
    this.#read(distances.indexOf(Math.min(...distances)));
  }

  #fillTable() {
    this.details.querySelector(".scroll")?.remove();
    if (!this.details.open) return;
    const rows = this.points.toReversed().map((row) => [String(row.labels), percent(Number(row.accuracy)), intervalText(row), String(row.n), String(row.version)]);
    this.details.append(make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "The curve as a table" },
      table("Accuracy by labels", ["Labels", "Accuracy", "95% interval", "n", "Model"], rows)));
  }
}
