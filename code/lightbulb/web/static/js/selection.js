/** The items that are selected, whether or not they are loaded or in sight. */
export class Selection {
  /** @type {Set<number>} */ #items = new Set();
  anchor = 0; // index in the list that a range starts from

  /** @param {() => void} changed */
  constructor(changed) { this.changed = changed; }

  get size() { return this.#items.size; }

  get items() { return [...this.#items]; }

  /** @param {number|undefined} item */
  has(item) { return item !== undefined && this.#items.has(item); }

  /** @param {Iterable<number>} items @param {Iterable<number>} [kept] that stay selected besides */
  set(items, kept = []) {
    this.#items = new Set([...kept, ...items]);
    this.changed();
  }

  /** @param {number} item */
  toggle(item) {
    if (!this.#items.delete(item)) this.#items.add(item);
    this.changed();
  }

  /** @param {(item: number) => boolean} isKept */
  keep(isKept) { if (!this.items.every(isKept)) this.set(this.items.filter(isKept)); }

  clear() { if (this.#items.size) this.set([]); }
}
