/** The confusion matrix; a cell opens the held-out items that it counted. */
import { getCell } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { fileName } from "./filename.js";
import { percent, plural } from "./format.js";
import { classDot } from "./task.js";
import { table } from "./svg.js";

/** @typedef {import("./api.js").MeasuredItem} MeasuredItem */

const MOST_CLASSES = 24; // with more, a list of what is confused says it better
const MOST_PAIRS = 50;

export class Confusion {
  /** @type {{row: number, column: number}|null} */ chosen = null;
  /** @type {string[]} */ classes = [];
  asked = 0; // counts requests: only the answer to the newest is shown

  constructor() {
    this.box = byId("confusion");
    this.box.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const button = /** @type {Element} */ (event.target).closest("button[data-cell]");
      if (button instanceof HTMLElement) this.#open(button.dataset.cell ?? "");
    });
    this.box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
  }

  /** @param {string[]} classes @param {number[][]} counts rows what they are, columns what they are taken for */
  show(classes, counts) {
    this.classes = classes;
    const total = counts.flat().reduce((sum, count) => sum + count, 0);
    const focused = /** @type {HTMLElement|null} */ (this.box.contains(document.activeElement) ? document.activeElement : null)?.dataset.cell;
    const isMatrix = classes.length <= MOST_CLASSES;
    setText(byId("confusion-note"), !total ? "Nothing is measured yet: no held-out item is labelled."
      : `${plural(total, "held-out item")}. ${isMatrix ? "Rows: what they are. Columns: what the model takes them for." : "What is confused most often."} Choose a count to see its items.`);
    this.box.replaceChildren(...(total ? [isMatrix ? this.#matrix(counts) : this.#pairs(counts)] : []));
    if (focused) /** @type {HTMLElement|null} */ (this.box.querySelector(`[data-cell="${focused}"]`))?.focus();
    if (this.chosen && !this.#button(this.chosen)) { this.chosen = null; byId("cell").hidden = true; }
    if (this.chosen) this.#load(); // of the model that serves now
  }

  /** @param {number} row @param {number} column @param {number} count @param {number} share of its row */
  #cell(row, column, count, share) {
    const is = this.classes[row], as = this.classes[column];
    const button = make("button", {
      type: "button", "data-cell": `${row},${column}`, class: row === column ? "right" : "wrong",
      "aria-pressed": String(this.chosen?.row === row && this.chosen.column === column),
      "aria-label": row === column ? `${count}: ${is}, and taken for it` : `${count}: ${is}, taken for ${as}`,
    }, String(count));
    button.style.setProperty("--share", share.toFixed(3));
    return button;
  }

  /** @param {number[][]} counts */
  #matrix(counts) {
    const head = make("tr", {}, make("td", { class: "corner" }, "is \\ taken for"),
      ...this.classes.map((name) => make("th", { scope: "col", title: name }, make("span", {}, name))));
    const rows = counts.map((of, row) => {
      const n = of.reduce((sum, count) => sum + count, 0);
      return make("tr", {}, make("th", { scope: "row", title: this.classes[row] }, classDot(row), make("span", {}, this.classes[row])),
        ...of.map((count, column) => make("td", {}, count ? this.#cell(row, column, count, count / n) : make("span", { class: "none" }, "0"))));
    });
    return make("table", { class: "confusion" }, make("caption", { class: "sr-only" }, "Held-out items by what they are and what the model takes them for"),
      make("thead", {}, head), make("tbody", {}, ...rows));
  }

  /** @param {number[][]} counts */
  #pairs(counts) {
    const pairs = counts.flatMap((of, row) => of.map((count, column) => ({ row, column, count, share: count / of.reduce((sum, one) => sum + one, 0) })))
      .filter(({ row, column, count }) => count && row !== column).sort((one, other) => other.count - one.count).slice(0, MOST_PAIRS);
    if (!pairs.length) return make("p", {}, "Nothing is confused with anything else.");
    const found = table("What is confused most often", ["Is", "Taken for", "Items"],
      pairs.map(({ row, column, count, share }) => [this.classes[row], this.classes[column], this.#cell(row, column, count, share)]));
    found.classList.add("pairs");
    return found;
  }

  /** @param {{row: number, column: number}} cell @returns {HTMLElement|null} */
  #button({ row, column }) { return this.box.querySelector(`[data-cell="${row},${column}"]`); }

  /** Arrow keys go to the next count in that direction. @param {KeyboardEvent} event */
  #onKey(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const from = /** @type {HTMLElement} */ (event.target).dataset?.cell;
    if (!step || !from) return;
    let [row, column] = from.split(",").map(Number);
    for (row += step[0], column += step[1]; this.classes[row] && this.classes[column]; row += step[0], column += step[1]) {
      const next = this.#button({ row, column });
      if (next) { next.focus(); break; }
    }
    event.preventDefault(); // the page must not scroll under the matrix
  }

  /** @param {string} cell "row,column" */
  #open(cell) {
    const [row, column] = cell.split(",").map(Number);
    this.chosen = { row, column };
    for (const button of this.box.querySelectorAll("button[data-cell]")) button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.cell === cell));
    this.#load();
  }

  async #load() {
    if (!this.chosen) return;
    this.asked += 1;
    const mine = this.asked;
    const is = this.classes[this.chosen.row], as = this.classes[this.chosen.column];
    byId("cell").hidden = false;
    try {
      const { items } = await getCell(is, as);
      if (mine !== this.asked) return;
      setText(byId("cell-title"), is === as ? `${plural(items.length, "item")} of ${is}, recognised` : `${plural(items.length, "item")} of ${is}, taken for ${as}`);
      byId("cell-list").replaceChildren(...items.map(makeTile));
    } catch (error) {
      if (mine !== this.asked) return;
      setText(byId("cell-title"), error.message);
      byId("cell-list").replaceChildren();
    }
  }
}

/** @param {MeasuredItem} item */
function makeTile(item) {
  const img = make("img", { alt: "", loading: "lazy", decoding: "async" });
  img.addEventListener("load", () => img.classList.toggle("pixelated", Math.max(img.naturalWidth, img.naturalHeight) <= 128));
  img.src = `${item.media}?width=256`;
  const sure = `${percent(item.score, 0)} sure`;
  return make("li", { "data-item": item.item }, make("a", { href: `/dataset?q=${encodeURIComponent(item.name)}`, title: `${item.name}, ${sure}: open it on the Dataset page` },
    make("span", { class: "cell-picture" }, img), make("span", {}, sure), make("span", { class: "item-name" }, fileName(item.name))));
}
