/**
 * The items of the Dataset page: a virtual grid of tiles to select and to open, by mouse, finger or keyboard.
 */
import { announce, byId, setText } from "./dom.js";
import { plural } from "./format.js";
import { ItemPages } from "./itempages.js";
import { Marquee } from "./marquee.js";
import { Selection } from "./selection.js";
import { fillTile } from "./tiles.js";
import { VirtualGrid } from "./virtualgrid.js";

/** @typedef {import("./api.js").ListedItem} ListedItem */

export const MOST_AT_ONCE = 100_000; // items in one bulk action, as the server has it
const HOLD_MS = 450; // a finger that rests this long selects
const PAGE_ROWS = 4;

/** @param {string} id @param {"top"|"bottom"} edge @returns {number} px from the window's top */
const edgeOf = (id, edge) => byId(id).getBoundingClientRect()[edge];

export class ItemGrid {
  #held = 0;
  #wasHeld = false;
  #pointer = ""; // kind of the last one; Safari's clicks do not tell
  /** @type {number[]} what a drag keeps */ #kept = [];

  /**
   * @param {string[]} classes
   * @param {{open: (index: number) => void, selected: () => void, scrolled: () => void, failed: (error: any) => void}} page
   */
  constructor(classes, page) {
    this.classes = classes;
    this.page = page;
    this.root = byId("tiles");
    this.selection = new Selection(() => { this.#render(); page.selected(); });
    this.pages = new ItemPages({ arrived: (from, to) => this.grid.refill(from, to), failed: page.failed });
    this.grid = new VirtualGrid(this.root, {
      fill: (cell, index) => this.#fill(cell, index),
      shown: (from, to) => { this.pages.want(from, to); page.scrolled(); },
      stuck: () => (getComputedStyle(byId("filters")).position === "sticky" ? byId("filters").offsetHeight : 0),
      covered: () => ({ top: edgeOf("filters", "bottom"), bottom: byId("bulk").hidden ? innerHeight : edgeOf("bulk", "top") }),
    });
    new Marquee(byId("items-view"), this.grid, {
      begin: (event) => { this.#kept = event.shiftKey || event.ctrlKey || event.metaKey ? this.selection.items : []; },
      drawn: (cells) => this.selection.set(this.#loaded(cells), this.#kept),
      done: (cells) => this.#finishDrag(cells),
    });
    this.#listen();
  }

  /** @param {Record<string, string>} query @param {number} [at] index that should be in sight @returns {Promise<boolean>} */
  async open(query, at = 0) {
    this.root.setAttribute("aria-busy", "true");
    if (!await this.pages.open(query, at)) return false;
    this.root.setAttribute("aria-busy", "false");
    if (JSON.stringify(query) !== JSON.stringify(this.query)) {
      this.query = query;
      this.selection.clear(); // what was selected among the tiles of before, while these were on their way
    }
    this.root.hidden = this.pages.total === 0;
    this.grid.setTotal(this.pages.total);
    if (at) this.grid.startAt(Math.min(at, this.pages.total - 1));
    await this.#keepListed(at);
    return true;
  }

  /** What left the list is selected no longer: nobody sees it any more, and the next key would label it. @param {number} at */
  async #keepListed(at) {
    if (!this.selection.size) return;
    const from = Math.max(0, at - MOST_AT_ONCE / 2);
    const listed = new Set(await this.#ids(from, Math.min(this.pages.total - from, MOST_AT_ONCE)));
    this.selection.keep((item) => listed.has(item));
  }

  /** Ids that an action is meant for: what is selected, else the tile with the focus. */
  get chosen() {
    if (this.selection.size) return this.selection.items;
    const item = this.root.contains(document.activeElement) ? this.pages.get(this.grid.active) : undefined;
    return item ? [item.item] : [];
  }

  async selectAll() {
    if (!this.pages.total) return;
    const { query } = this;
    const ids = await this.#ids(0, Math.min(this.pages.total, MOST_AT_ONCE));
    if (query !== this.query) return; // another list is shown by now
    this.selection.set(ids);
    announce(`${plural(ids.length, "item")} selected`);
    return this.pages.total > MOST_AT_ONCE;
  }

  /** @param {number} from @param {number} count @returns {Promise<number[]>} */
  async #ids(from, count) {
    try { return await this.pages.ids(from, count); } catch (error) { this.page.failed(error); return []; }
  }

  /** @param {number[]} cells @returns {number[]} ids */
  #loaded(cells) { return cells.map((index) => this.pages.get(index)?.item).filter((item) => item !== undefined); }

  /** What was scrolled past too fast to be loaded belongs to the rectangle, too. @param {number[]} cells */
  async #finishDrag(cells) {
    if (!cells.length || this.#loaded(cells).length === cells.length) return;
    const { query } = this;
    const ids = await this.#ids(cells[0], Math.min(cells.at(-1) - cells[0] + 1, MOST_AT_ONCE));
    if (query === this.query) this.selection.set(cells.map((index) => ids[index - cells[0]]).filter((item) => item !== undefined), this.#kept);
  }

  /** @param {HTMLElement} cell @param {number} index */
  #fill(cell, index) {
    const item = this.pages.get(index);
    fillTile(cell, item, this.classes, { guess: Boolean(this.query?.disagrees), score: (this.query?.sort ?? "").endsWith("confidence") });
    cell.setAttribute("aria-selected", String(this.selection.has(item?.item)));
  }

  #render() {
    for (const cell of this.root.children) {
      const item = this.pages.get(Number(/** @type {HTMLElement} */ (cell).dataset.index));
      cell.setAttribute("aria-selected", String(this.selection.has(item?.item)));
    }
    const { size } = this.selection;
    const isCut = size === MOST_AT_ONCE && this.pages.total > size;
    setText(byId("selected-count"), isCut ? `${size} of ${this.pages.total} selected` : `${size} selected`);
  }

  #listen() {
    const root = this.root;
    root.addEventListener("click", (event) => this.#onClick(event));
    root.addEventListener("dblclick", (event) => { const index = this.grid.indexOf(event.target); if (index >= 0) this.page.open(index); });
    root.addEventListener("keydown", (event) => this.#onKey(event));
    root.addEventListener("pointerdown", (event) => {
      this.#wasHeld = false;
      this.#pointer = event.pointerType;
      clearTimeout(this.#held);
      if (event.pointerType === "touch") this.#held = window.setTimeout(() => this.#hold(this.grid.indexOf(event.target)), HOLD_MS);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) root.addEventListener(end, () => clearTimeout(this.#held));
    root.addEventListener("contextmenu", (event) => { if (this.#wasHeld) event.preventDefault(); });
  }

  /** @param {number} index */
  #hold(index) {
    const item = this.pages.get(index);
    if (!item) return;
    this.#wasHeld = true;
    this.selection.toggle(item.item);
    this.grid.reveal(index); // the bar of actions may lie over it by now
  }

  /** @param {MouseEvent} event */
  async #onClick(event) {
    const index = this.grid.indexOf(event.target);
    const item = this.pages.get(index);
    if (index < 0 || !item || this.#wasHeld) return;
    this.grid.focus(index);
    const isTouch = this.#pointer === "touch";
    const isTick = event.target instanceof Element && event.target.closest(".tile-tick");
    if (event.shiftKey) { await this.#selectTo(index, event.ctrlKey || event.metaKey); return; }
    if (isTouch && !isTick && !this.selection.size) { this.page.open(index); return; }
    this.selection.anchor = index;
    if (isTick || isTouch || event.ctrlKey || event.metaKey) this.selection.toggle(item.item);
    else this.selection.set([item.item]);
    if (isTouch) this.grid.reveal(index);
  }

  /** From the anchor to here. @param {number} index @param {boolean} isAdded to what is selected */
  async #selectTo(index, isAdded) {
    const [from, to] = [this.selection.anchor, index].sort((a, b) => a - b);
    const { query } = this;
    const ids = await this.#ids(from, Math.min(to - from + 1, MOST_AT_ONCE));
    if (query === this.query) this.selection.set(ids, isAdded ? this.selection.items : []);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const index = this.grid.indexOf(event.target);
    if (index < 0 || event.altKey) return;
    const target = this.#target(index, event);
    if (target !== null) {
      if (event.shiftKey && !this.selection.size) this.selection.anchor = index;
      this.grid.focus(target);
      if (event.shiftKey) this.#selectTo(this.grid.active, false);
    } else if (event.key === " " && !event.repeat) {
      const item = this.pages.get(index);
      if (event.shiftKey) this.#selectTo(index, false);
      else if (item) { this.selection.anchor = index; this.selection.toggle(item.item); }
    } else if (event.key === "Enter" && !event.repeat) this.page.open(index);
    else return;
    event.preventDefault();
  }

  /** @param {number} index @param {KeyboardEvent} event @returns {number|null} where the key leads to */
  #target(index, { key }) {
    const { columns, total } = this.grid;
    const rows = Math.max(1, Math.floor(innerHeight / this.grid.rowHeight) - 1) || PAGE_ROWS;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns * rows, PageDown: columns * rows };
    if (key === "Home") return 0;
    if (key === "End") return total - 1;
    const step = steps[/** @type {keyof steps} */ (key)];
    if (step === undefined) return null;
    const next = index + step;
    if (Math.abs(step) > 1 && (next < 0 || next >= total)) {
      return Math.abs(step) === columns ? index : step < 0 ? 0 : total - 1;
    }
    return Math.max(0, Math.min(total - 1, next));
  }
}
