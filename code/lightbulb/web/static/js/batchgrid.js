/**
 * The grid of a batch: ticked thumbnails to unselect or to relabel, by mouse, finger or keyboard, with one tab stop.
 *
 * @typedef {import("./api.js").BatchItem} BatchItem
 * @typedef {{item: BatchItem, element: HTMLElement, img: HTMLImageElement, isTicked: boolean, label: string|null, isLate: boolean}} Cell
 *   isLate: its picture did not come and is asked for again
 * @typedef {{isTicked: boolean, label: string|null}} Choice
 */
import { make } from "./dom.js";
import { percent } from "./format.js";
import { gridTarget } from "./gridkeys.js";
import { loadAgain } from "./latepictures.js";
import { nameNode } from "./names.js";
import { onPeek } from "./peeking.js";
import { enlarge, thumbnails, whenSettled, widthFor } from "./thumbnails.js";

export class BatchGrid {
  /** @type {Cell[]} in the order they are shown */ cells = [];
  /** @type {Cell|null} the cell that keys act on: the last one pointed at or focused */ active = null;
  /** @type {Cell|null} where a range starts */ #anchor = null;
  #size = 136; // CSS pixels: what a cell is at least wide

  /**
   * @param {HTMLElement} root
   * @param {{changed: () => void, peek: (cell: Cell) => void, brush: () => string|null}} page
   *   brush: the label that unselecting gives; peek: show this one larger
   */
  constructor(root, page) {
    this.root = root;
    this.page = page;
    root.addEventListener("keydown", (event) => this.#onKey(event));
    root.addEventListener("pointerleave", () => this.#activate(this.#focused() ?? null));
  }

  /** @param {BatchItem[]} items @param {Map<number, Choice>} [chosen] what a person has already changed, by item
   * @returns {Promise<void>} settles once every thumbnail has loaded or failed */
  show(items, chosen = new Map()) {
    this.active = this.#anchor = null;
    const images = thumbnails(items, this.thumbnailWidth);
    this.cells = items.map((item, index) => Object.assign(this.#makeCell(item, images[index]), chosen.get(item.item)));
    this.root.replaceChildren(...this.cells.map((cell) => cell.element));
    this.cells.forEach((cell, index) => { cell.element.tabIndex = index === 0 ? 0 : -1; this.#render(cell); });
    return Promise.all(this.cells.map((cell) => this.#settle(cell))).then(() => undefined);
  }

  /** Show the cells in another order: ticks, labels and the focus stay. @param {(a: BatchItem, b: BatchItem) => number} compare */
  sort(compare) {
    const focused = this.#focused();
    this.cells.sort((a, b) => compare(a.item, b.item));
    this.root.append(...this.cells.map((cell) => cell.element));
    if (focused) focused.element.focus();
    else if (this.cells.length) this.#rove(this.cells[0]); // the first is where Tab leads
  }

  /** @param {number} size CSS pixels */
  setSize(size) {
    this.#size = size;
    this.root.style.setProperty("--size", `${size}px`);
    enlarge(this.cells, this.thumbnailWidth);
  }

  get columns() { return getComputedStyle(this.root).gridTemplateColumns.split(" ").length; }

  /** The width to ask for, in device pixels. */
  get thumbnailWidth() {
    const gap = parseFloat(getComputedStyle(this.root).columnGap) || 0;
    const columns = Math.max(1, Math.floor((this.root.clientWidth + gap) / (this.#size + gap)));
    return widthFor(Math.max(this.#size, (this.root.clientWidth + gap) / columns - gap));
  }

  /** @returns {{item: number, label: string|null}[]} */
  get rejected() {
    return this.cells.filter((cell) => !cell.isTicked).map(({ item, label }) => ({ item: item.item, label }));
  }

  /** @returns {Map<number, Choice>} what a person has changed, by item */
  get chosen() {
    return new Map(this.cells.filter((cell) => !cell.isTicked).map(({ item, isTicked, label }) => [item.item, { isTicked, label }]));
  }

  /** How many are ticked that nobody can see yet. */
  get unseen() { return this.cells.filter((cell) => cell.isTicked && cell.isLate).length; }

  focusFirst() { this.cells[0]?.element.focus({ preventScroll: true }); }

  /** @param {Cell} cell @param {boolean} isTicked @param {string|null} label the other class, or null to set aside */
  set(cell, isTicked, label) {
    cell.isTicked = isTicked;
    cell.label = isTicked ? null : label;
    this.#render(cell);
    this.page.changed();
  }

  /** @param {Cell} cell */
  toggle(cell) {
    this.#anchor = cell;
    this.set(cell, !cell.isTicked, this.page.brush());
  }

  /** @param {Cell} cell */
  async #settle(cell) {
    if (!await whenSettled(cell.img)) await this.#loadAgain(cell);
  }

  /** A passing failure changes no tick; nobody can vouch for what never can be shown. @param {Cell} cell */
  async #loadAgain(cell) {
    if (cell.isLate) return;
    this.#setLate(cell, true);
    const isShown = await loadAgain(cell.img, `${cell.item.media}?width=${cell.img.dataset.width}`);
    this.#setLate(cell, false);
    if (isShown) return;
    cell.img.replaceWith(make("span", { class: "cell-note" }, `${cell.item.name} cannot be shown`));
    this.set(cell, false, null);
  }

  /** @param {Cell} cell @param {boolean} isLate */
  #setLate(cell, isLate) {
    cell.isLate = isLate;
    cell.element.classList.toggle("late", isLate);
    this.#render(cell);
    this.page.changed();
  }

  /** @param {BatchItem} item @param {HTMLImageElement} img @returns {Cell} */
  #makeCell(item, img) {
    const element = make("div", { class: "cell", role: "checkbox", "data-item": item.item, title: `${item.name}: ${percent(item.score)}` },
      img, make("span", { class: "tick" }), make("span", { class: "score" }, percent(item.score)), make("span", { class: "badge" }));
    const cell = { item, element, img, isTicked: true, label: null, isLate: false };
    img.addEventListener("error", () => this.#loadAgain(cell)); // at first, or a larger one later
    element.addEventListener("click", (event) => this.#onClick(cell, event));
    onPeek(element, { save: () => ({ ...cell }), peek: (before) => { this.set(cell, before.isTicked, before.label); this.page.peek(cell); } });
    // a page that scrolls under a resting pointer is no pointing
    element.addEventListener("pointermove", ({ movementX, movementY }) => { if (movementX || movementY) this.#activate(cell); });
    element.addEventListener("focus", () => { this.#activate(cell); this.#rove(cell); });
    return cell;
  }

  /** @param {Cell} cell */
  #render({ element, item, isTicked, label, isLate }) {
    element.setAttribute("aria-checked", String(isTicked));
    element.setAttribute("aria-label", `${item.name}, ${isTicked ? "selected" : label ? `relabelled ${label}` : "set aside"}${isLate ? ", its picture is still missing" : ""}`);
    element.querySelector(".badge")?.replaceChildren(...(label ? [nameNode(label)] : []));
  }

  /** @param {Cell} cell @param {MouseEvent} event */
  #onClick(cell, event) {
    cell.element.focus({ preventScroll: true });
    if (event.shiftKey && this.#anchor) this.#setRange(this.#anchor, cell);
    else this.toggle(cell);
  }

  /** @param {Cell} from gives its state to all up to `to` @param {Cell} to */
  #setRange(from, to) {
    const [first, last] = [this.cells.indexOf(from), this.cells.indexOf(to)].sort((a, b) => a - b);
    this.cells.slice(first, last + 1).forEach((each) => this.set(each, from.isTicked, from.label));
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const cell = this.#focused();
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = this.cells.indexOf(cell);
    const height = cell.element.offsetHeight || 1;
    const target = gridTarget(event.key, index, { count: this.cells.length, columns: this.columns, rows: Math.floor(innerHeight / height) - 1 });
    if (event.key === " ") {
      if (!event.repeat) this.toggle(cell);
    } else if (target !== null) {
      const next = this.cells[target];
      if (event.shiftKey) this.#setRange(this.#anchor ??= cell, next);
      else this.#anchor = null;
      next.element.focus({ preventScroll: true });
      next.element.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  }

  #focused() { return this.cells.find((cell) => cell.element === document.activeElement); }

  /** @param {Cell|null} cell */
  #activate(cell) {
    this.active?.element.classList.remove("active");
    this.active = cell;
    cell?.element.classList.add("active");
  }

  /** @param {Cell} cell */
  #rove(cell) {
    for (const { element } of this.cells) element.tabIndex = element === cell.element ? 0 : -1;
  }
}
