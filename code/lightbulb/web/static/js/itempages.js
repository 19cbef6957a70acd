/** The rows of a long list, fetched a page at a time as they come into view, and let go again. */
import { getItemIds, getItems } from "./datasetapi.js";

/** @typedef {import("./api.js").ListedItem} ListedItem */

const PAGE = 120;
const MOST_PAGES = 40; // rows of about five thousand items stay at hand
const REST_MS = 60; // what is scrolled past faster than this is never asked for

export class ItemPages {
  /** @type {Map<number, ListedItem[]>} */ #pages = new Map();
  /** @type {Map<number, AbortController>} */ #coming = new Map();
  /** @type {Record<string, string>} */ #query = {};
  #wanted = [0, 0];
  #timer = 0;
  #generation = 0;
  total = 0;

  /** @param {{arrived: (from: number, to: number) => void, failed: (error: any) => void}} page */
  constructor(page) {
    this.page = page;
  }

  /**
   * Start anew. Rows of before stay until the new ones are there.
   * @param {Record<string, string>} query @param {number} at index of a row that is wanted first
   * @returns {Promise<boolean>} false when another list was asked for meanwhile
   */
  async open(query, at) {
    this.#generation += 1;
    const mine = this.#generation;
    this.#stop(() => true);
    const first = Math.max(0, Math.floor(at / PAGE));
    const { total, items } = await this.#fetch(query, first);
    if (mine !== this.#generation) return false;
    this.#stop(() => true); // pages of the list of before, asked for by scrolling meanwhile
    const isPast = first > 0 && !items.length; // the list is shorter than it was
    this.#query = query;
    this.total = total;
    this.#pages = new Map(isPast ? [] : [[first, items]]);
    return true;
  }

  /** @param {number} index @returns {ListedItem|undefined} */
  get(index) { return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE]; }

  /** @param {number} index @returns {Promise<ListedItem|undefined>} */
  async load(index) {
    if (index < 0 || index >= this.total) return undefined;
    if (!this.get(index)) await this.#take(Math.floor(index / PAGE));
    return this.get(index);
  }

  /** Rows of this range are on screen now. @param {number} from @param {number} to exclusive */
  want(from, to) {
    this.#wanted = [Math.floor(from / PAGE), Math.floor(Math.max(from, to - 1) / PAGE)];
    const [first, last] = this.#wanted;
    this.#stop((number) => number < first || number > last);
    clearTimeout(this.#timer);
    if (to > from) this.#timer = window.setTimeout(() => { for (let n = first; n <= last; n += 1) this.#take(n); }, REST_MS);
  }

  /** Ids of the rows from `from` on, loaded or not. @param {number} from @param {number} count @returns {Promise<number[]>} */
  async ids(from, count) {
    const known = Array.from({ length: count }, (_, at) => this.get(from + at)?.item);
    if (known.every((item) => item !== undefined)) return /** @type {number[]} */ (known);
    return (await getItemIds({ ...this.#query, offset: from, limit: count })).ids;
  }

  /** @param {ListedItem} item changed on the server; shown as it is now, where it is in the list */
  update(item) {
    for (const [number, rows] of this.#pages) {
      const at = rows.findIndex((row) => row.item === item.item);
      if (at >= 0) { rows[at] = { ...rows[at], ...item }; this.page.arrived(number * PAGE + at, number * PAGE + at + 1); }
    }
  }

  /** @param {Record<string, string>} query @param {number} number @param {AbortSignal} [signal] */
  #fetch(query, number, signal) { return getItems({ ...query, offset: number * PAGE, limit: PAGE }, signal); }

  /** @param {number} number */
  async #take(number) {
    if (this.#pages.has(number) || this.#coming.has(number)) return;
    const abort = new AbortController();
    this.#coming.set(number, abort);
    try {
      const { items } = await this.#fetch(this.#query, number, abort.signal);
      if (abort.signal.aborted) return;
      this.#pages.set(number, items);
      this.#forget();
      this.page.arrived(number * PAGE, number * PAGE + items.length);
    } catch (error) {
      if (error.code !== "aborted") this.page.failed(error);
    } finally {
      if (this.#coming.get(number) === abort) this.#coming.delete(number);
    }
  }

  /** @param {(number: number) => boolean} isUnwanted */
  #stop(isUnwanted) {
    for (const [number, abort] of this.#coming) {
      if (isUnwanted(number)) { abort.abort(); this.#coming.delete(number); }
    }
  }

  #forget() {
    const [first, last] = this.#wanted;
    for (const number of this.#pages.keys()) {
      if (this.#pages.size <= MOST_PAGES) return;
      if (number < first || number > last) this.#pages.delete(number);
    }
  }
}
