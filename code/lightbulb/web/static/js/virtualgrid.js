/**
 * A grid of a million cells, of which only those near the window exist. The page's own scrollbar moves it.
 *
 * Cells are numbered; what is in them is the owner's business. One cell is in the tab order, and the one that
 * has the focus stays however far it is scrolled away.
 */
import { make } from "./dom.js";

const TALLEST = 8_000_000; // px; browsers know no taller elements than some 17 million
const GAP = 10;
const NARROW = 720; // px: two columns at least below, see css/dataset.css

export class VirtualGrid {
  /** @type {Map<number, HTMLElement>} */ #cells = new Map();
  #total = 0;
  #frame = 0;
  active = 0;
  columns = 1;
  side = 100; // px, of a cell
  rowHeight = 100;

  /**
   * @param {HTMLElement} root
   * @param {{fill: (cell: HTMLElement, index: number) => void, shown: (from: number, to: number) => void,
   *   covered: () => {top: number, bottom: number}, stuck: () => number}} owner
   *   covered: between which heights of the window (px) nothing lies over the grid
   *   stuck: px at the window's upper edge that stay covered however far the page is scrolled
   */
  constructor(root, owner) {
    this.root = root;
    this.owner = owner;
    this.size = 150; // px, wished for
    this.textHeight = 50;
    addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#soon()).observe(root);
    addEventListener("resize", () => this.#soon());
    root.addEventListener("focusin", (event) => {
      const index = this.indexOf(event.target);
      if (index >= 0) this.#activate(index);
    });
  }

  get total() { return this.#total; }

  /** @param {number} total of cells */
  setTotal(total) {
    this.#total = total;
    this.active = Math.max(0, Math.min(this.active, total - 1));
    for (const [index, cell] of this.#cells) {
      if (index < total) { cell.setAttribute("aria-setsize", String(total)); this.owner.fill(cell, index); continue; }
      const hadFocus = cell === document.activeElement;
      cell.remove();
      this.#cells.delete(index);
      if (hadFocus && total) this.focus(this.active);
    }
    this.render();
  }

  /** @param {number} from @param {number} to exclusive */
  refill(from, to) {
    for (const [index, cell] of this.#cells) if (index >= from && index < to) this.owner.fill(cell, index);
  }

  /** @param {EventTarget|null} target @returns {number} of the cell that it is in, else -1 */
  indexOf(target) {
    const cell = target instanceof Element ? target.closest("[data-index]") : null;
    return cell instanceof HTMLElement && this.root.contains(cell) ? Number(cell.dataset.index) : -1;
  }

  /** @param {number} index */
  focus(index) {
    const wanted = Math.max(0, Math.min(this.#total - 1, index));
    this.reveal(wanted);
    this.#activate(wanted);
    this.render();
    this.#cells.get(wanted)?.focus({ preventScroll: true });
  }

  /** Scrolls as little as it takes. @param {number} index */
  reveal(index) {
    this.#measure();
    const top = Math.floor(index / this.columns) * this.rowHeight;
    const { above, below } = this.#view();
    if (top < this.#offset() + above) this.#scrollTo(top - this.owner.stuck() - GAP);
    else if (top + this.rowHeight > this.#offset() + below) this.#scrollTo(top + this.rowHeight - this.owner.covered().bottom);
  }

  /** Puts this cell's row at the top. @param {number} index */
  startAt(index) {
    this.#measure();
    if (index >= this.columns) this.#scrollTo(Math.floor(index / this.columns) * this.rowHeight - this.owner.stuck());
    this.render();
  }

  /** Index of the first cell of the first row that is in sight, or 0. */
  get first() {
    const row = Math.ceil((this.#offset() + this.#view().above - this.rowHeight / 2) / this.rowHeight);
    return Math.max(0, Math.min(row * this.columns, this.#total - 1));
  }

  /** Cells that a rectangle touches. x, y in px from the grid's own corner. @param {DOMRect} box @returns {number[]} */
  within(box) {
    const step = this.side + GAP;
    const columns = [box.left, box.right].map((x) => x / step);
    const rows = [box.top, box.bottom].map((y) => y / this.rowHeight);
    const found = [];
    for (let row = Math.max(0, Math.floor(rows[0])); row <= rows[1]; row += 1) {
      for (let column = Math.max(0, Math.floor(columns[0])); column <= Math.min(columns[1], this.columns - 1); column += 1) {
        const isTouched = box.left < column * step + this.side && box.top < (row + 1) * this.rowHeight - GAP;
        if (isTouched && row * this.columns + column < this.#total) found.push(row * this.columns + column);
      }
    }
    return found;
  }

  /** Where a point of the window is in the whole grid. @param {number} x @param {number} y */
  pointAt(x, y) {
    const box = this.root.getBoundingClientRect();
    return { x: x - box.left, y: y - box.top - this.#scrolled() + this.#offset() };
  }

  /** Where a point of the whole grid is in the element. @param {number} y */
  toElement(y) { return y - this.#offset() + this.#scrolled(); }

  render() {
    this.#measure();
    const offset = this.#offset();
    const shift = this.#scrolled() - offset;
    const from = Math.max(0, Math.floor((offset - innerHeight / 2) / this.rowHeight)) * this.columns;
    const to = Math.min(this.#total, (Math.floor((offset + innerHeight * 1.5) / this.rowHeight) + 1) * this.columns);
    for (const [index, cell] of this.#cells) {
      if ((index < from || index >= to) && cell !== document.activeElement) { cell.remove(); this.#cells.delete(index); }
    }
    let next = this.root.firstElementChild;
    for (let index = from; index < to; index += 1) {
      let cell = this.#cells.get(index);
      if (cell) next = cell.nextElementSibling;
      else { cell = this.#make(index); this.root.insertBefore(cell, next); }
    }
    for (const [index, cell] of this.#cells) this.#place(cell, index, shift);
    this.#activate(this.active);
    this.owner.shown(from, Math.max(from, to));
  }

  /** @param {number} index */
  #make(index) {
    const cell = make("li", { id: `cell-${index}`, role: "option", "data-index": index, tabindex: "-1", "aria-posinset": index + 1, "aria-setsize": this.#total });
    this.#cells.set(index, cell);
    this.owner.fill(cell, index);
    return cell;
  }

  /** @param {HTMLElement} cell @param {number} index @param {number} shift */
  #place(cell, index, shift) {
    const x = (index % this.columns) * (this.side + GAP);
    const y = Math.floor(index / this.columns) * this.rowHeight + shift;
    cell.style.transform = `translate(${x}px, ${y}px)`;
    cell.style.width = `${this.side}px`;
    cell.style.height = `${this.rowHeight - GAP}px`;
  }

  /** @param {number} index */
  #activate(index) {
    this.active = index;
    const isThere = this.#cells.has(index);
    const first = isThere ? index : this.first;
    for (const [at, cell] of this.#cells) cell.tabIndex = at === first ? 0 : -1;
  }

  #soon() { this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.render(); }); }

  #measure() {
    const width = this.root.clientWidth;
    if (!width) return; // hidden
    const fewest = width < NARROW ? 2 : 3;
    const columns = Math.max(fewest, Math.floor((width + GAP) / (this.size + GAP)));
    const first = columns === this.columns ? -1 : this.first;
    this.columns = columns;
    this.side = (width - GAP * (columns - 1)) / columns;
    this.rowHeight = Math.round(this.side) + this.textHeight + GAP;
    this.root.style.height = `${Math.min(this.#height(), TALLEST)}px`;
    if (first > 0) this.#scrollTo(Math.floor(first / columns) * this.rowHeight - this.owner.stuck()); // the window was resized
  }

  /** px, of all rows */
  #height() { return Math.max(0, Math.ceil(this.#total / this.columns) * this.rowHeight - GAP); }

  /** Which part of the grid's visible stretch is free, px from its beginning. */
  #view() {
    const { top, bottom } = this.owner.covered();
    const start = Math.max(0, this.root.getBoundingClientRect().top);
    return { above: Math.max(0, top - start), below: bottom - start };
  }

  /** How far the element is scrolled out of the window, px. */
  #scrolled() { return Math.max(0, -this.root.getBoundingClientRect().top); }

  /** How much taller the grid is than its element, where both are scrolled to the end. */
  #ratio() {
    const height = this.#height();
    return height <= TALLEST ? 1 : (height - innerHeight) / (TALLEST - innerHeight);
  }

  /** How far the grid is scrolled, px. */
  #offset() { return this.#scrolled() * this.#ratio(); }

  /** @param {number} offset */
  #scrollTo(offset) {
    const start = this.root.getBoundingClientRect().top + scrollY;
    scrollTo({ top: start + Math.max(offset, -start) / (offset > 0 ? this.#ratio() : 1), behavior: "instant" });
  }
}
