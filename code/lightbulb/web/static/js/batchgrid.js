/**
 * The grid of a batch: ticked thumbnails to unselect, by mouse or keyboard, with one tab stop.
 *
 * @typedef {import("./api.js").BatchItem} BatchItem
 * @typedef {{item: BatchItem, element: HTMLElement, isTicked: boolean, label: string|null}} Cell
 */
import { make, setText } from "./dom.js";
import { percent } from "./format.js";

const ARROWS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

export class BatchGrid {
  /** @type {Cell[]} */ cells = [];
  /** @type {Cell|null} the cell that keys act on: the last one pointed at or focused */ active = null;
  /** @type {Cell|null} where a shift-click range starts */ #anchor = null;

  /** @param {HTMLElement} root @param {() => void} changed @param {() => string|null} brush the label that unselecting gives */
  constructor(root, changed, brush) {
    this.root = root;
    this.changed = changed;
    this.brush = brush;
    root.addEventListener("keydown", (event) => this.#onKey(event));
    root.addEventListener("pointerleave", () => { this.active = this.#focused() ?? null; });
  }

  /** @param {BatchItem[]} items @returns {Promise<void>} settles once every thumbnail has loaded or failed */
  show(items) {
    this.active = this.#anchor = null;
    const loads = /** @type {Promise<void>[]} */ ([]);
    this.cells = items.map((item) => this.#makeCell(item, loads));
    this.root.replaceChildren(...this.cells.map((cell) => cell.element));
    this.cells.forEach((cell, index) => { cell.element.tabIndex = index === 0 ? 0 : -1; this.#render(cell); });
    return Promise.all(loads).then(() => undefined);
  }

  /** @returns {{item: number, label: string|null}[]} */
  get rejected() {
    return this.cells.filter((cell) => !cell.isTicked).map(({ item, label }) => ({ item: item.item, label }));
  }

  focusFirst() { this.cells[0]?.element.focus({ preventScroll: true }); }

  /** @param {Cell} cell @param {boolean} isTicked @param {string|null} label the other class, or null to set aside */
  set(cell, isTicked, label) {
    cell.isTicked = isTicked;
    cell.label = isTicked ? null : label;
    this.#render(cell);
    this.changed();
  }

  /** @param {BatchItem} item @param {Promise<void>[]} loads @returns {Cell} */
  #makeCell(item, loads) {
    const img = make("img", { alt: "", decoding: "async", draggable: "false" });
    const element = make("div", { class: "cell", role: "checkbox", "data-item": item.item, title: `${item.name}: ${percent(item.score)}` },
      img, make("span", { class: "tick" }), make("span", { class: "score" }, percent(item.score)), make("span", { class: "badge" }));
    const cell = { item, element, isTicked: true, label: null };
    loads.push(new Promise((resolve) => {
      img.addEventListener("load", () => { img.classList.toggle("pixelated", Math.max(img.naturalWidth, img.naturalHeight) <= 128); resolve(); });
      img.addEventListener("error", () => {
        img.replaceWith(make("span", { class: "cell-note" }, `${item.name} cannot be shown`));
        this.set(cell, false, null); // nobody can vouch for what they cannot see
        resolve();
      });
    }));
    img.src = `${item.media}?width=256`;
    element.addEventListener("click", (event) => this.#onClick(cell, event));
    element.addEventListener("pointermove", () => { this.active = cell; });
    element.addEventListener("focus", () => { this.active = cell; this.#rove(cell); });
    return cell;
  }

  /** @param {Cell} cell */
  #render({ element, item, isTicked, label }) {
    element.setAttribute("aria-checked", String(isTicked));
    element.setAttribute("aria-label", `${item.name}, ${isTicked ? "selected" : label ? `relabelled ${label}` : "set aside"}`);
    setText(/** @type {Element} */ (element.querySelector(".badge")), label ?? "");
  }

  /** @param {Cell} cell */
  #toggle(cell) { this.set(cell, !cell.isTicked, this.brush()); }

  /** @param {Cell} cell @param {MouseEvent} event */
  #onClick(cell, event) {
    cell.element.focus({ preventScroll: true });
    if (event.shiftKey && this.#anchor) {
      const [from, to] = [this.cells.indexOf(this.#anchor), this.cells.indexOf(cell)].sort((a, b) => a - b);
      const { isTicked, label } = this.#anchor;
      this.cells.slice(from, to + 1).forEach((each) => this.set(each, isTicked, label));
      return;
    }
    this.#anchor = cell;
    this.#toggle(cell);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const cell = this.#focused();
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      if (!event.repeat) { this.#anchor = cell; this.#toggle(cell); }
    } else if (ARROWS.has(event.key)) {
      const next = this.cells[this.#target(this.cells.indexOf(cell), event.key)];
      next?.element.focus();
      next?.element.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  }

  /** @param {number} index @param {string} key @returns {number} index of the cell to go to; may be outside */
  #target(index, key) {
    const columns = getComputedStyle(this.root).gridTemplateColumns.split(" ").length;
    const last = this.cells.length - 1;
    if (key === "Home") return 0;
    if (key === "End") return last;
    if (key === "ArrowLeft") return index - 1;
    if (key === "ArrowRight") return index + 1;
    return key === "ArrowUp" ? index - columns : index + columns;
  }

  #focused() { return this.cells.find((cell) => cell.element === document.activeElement); }

  /** @param {Cell} cell */
  #rove(cell) {
    for (const { element } of this.cells) element.tabIndex = element === cell.element ? 0 : -1;
  }
}
