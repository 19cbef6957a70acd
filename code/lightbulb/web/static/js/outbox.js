/**
 * Answers on their way to the server: in order, one request at a time, kept in localStorage until
 * the server has said 200. Sending twice is harmless, because the server knows each client_id.
 *
 * Events: "saved" after each delivery, "refused" ({detail: {row, message}}) for what was turned down.
 */
import { postLabels, reachable } from "./api.js";
import { setProblem } from "./banners.js";
import { plural } from "./format.js";

/** @typedef {import("./api.js").LabelRow & {name: string}} Row */

const MOST_ROWS = 50; // a request that outlives its page may carry 64 KiB
const SLOWEST_MS = 8000;

class Outbox extends EventTarget {
  /** @type {Row[]} */ rows = [];
  /** @type {Map<string, (saved: boolean) => void>} */ #waiting = new Map();
  /** @type {(() => void)|null} */ #wake = null;
  #storageKey = "";
  #running = false;
  #failures = 0;
  #offline = false; // the last failure was "no answer at all"
  #most = MOST_ROWS;

  /** Take over what earlier pages left. Item ids mean nothing in another dataset, hence the name.
   * @param {string} dataset @param {string} client */
  start(dataset, client) {
    const prefix = `lightbulb:outbox:${dataset}:`;
    this.#storageKey = prefix + client;
    const known = new Set();
    try {
      for (const key of Object.keys(localStorage).filter((name) => name.startsWith(prefix)).sort()) {
        for (const row of JSON.parse(localStorage.getItem(key) ?? "[]")) {
          if (!known.has(row.client_id)) this.rows.push(row);
          known.add(row.client_id);
        }
        // a tab that is still open writes its own again with its next answer
        if (key !== this.#storageKey) localStorage.removeItem(key);
      }
    } catch { /* unreadable or forbidden: nothing to take over */ }
    this.#keep();
    reachable.addEventListener("change", (event) => {
      if (/** @type {CustomEvent} */ (event).detail && this.#offline) this.#wake?.();
    });
    window.addEventListener("online", () => this.#wake?.());
    this.#send();
  }

  /** Ids of items answered here that the server does not know of yet. */
  get items() { return this.rows.map((row) => row.item); }

  /** @param {Row} row @returns {Promise<boolean>} true once saved, false when refused */
  add(row) {
    this.rows.push(row);
    this.#keep();
    const done = new Promise((resolve) => this.#waiting.set(row.client_id, resolve));
    this.#send();
    return done;
  }

  /** Resolves to true when everything is delivered, false when that takes longer than ms. @param {number} ms */
  async flush(ms) {
    const end = performance.now() + ms;
    this.#wake?.();
    while (this.rows.length && performance.now() < end) await new Promise((r) => setTimeout(r, 15));
    return this.rows.length === 0;
  }

  async #send() {
    if (this.#running) return;
    this.#running = true;
    while (this.rows.length) {
      const rows = this.rows.slice(0, this.#most);
      try {
        await postLabels(rows.map(({ item, label, seconds, client_id }) => ({ item, label, seconds, client_id })));
        this.#settle(rows, true);
        this.dispatchEvent(new Event("saved"));
      } catch (error) {
        if (error.isPassing) await this.#pause(error);
        else this.#refuse(rows, error);
      }
    }
    this.#running = false;
  }

  /** One bad row spoils its whole request, and nothing of it was saved. Drop the bad ones only.
   * @param {Row[]} rows @param {import("./api.js").ApiError} error */
  #refuse(rows, error) {
    const details = Array.isArray(error.details) ? error.details : [];
    let bad = rows.filter((row) => details.some((each) =>
      (each?.client_id ? each.client_id === row.client_id : each?.item === row.item)));
    if (!bad.length && rows.length === 1) bad = rows;
    if (!bad.length) { this.#most = 1; return; } // find the offender one by one
    this.#settle(bad, false);
    for (const row of bad) this.dispatchEvent(new CustomEvent("refused", { detail: { row, message: error.message } }));
  }

  /** @param {Row[]} rows @param {boolean} saved */
  #settle(rows, saved) {
    const gone = new Set(rows.map((row) => row.client_id));
    this.rows = this.rows.filter((row) => !gone.has(row.client_id));
    this.#keep();
    this.#failures = 0;
    this.#offline = false;
    if (!this.rows.length) this.#most = MOST_ROWS;
    setProblem("outbox", null);
    for (const id of gone) { this.#waiting.get(id)?.(saved); this.#waiting.delete(id); }
  }

  /** @param {import("./api.js").ApiError} error */
  async #pause(error) {
    this.#failures += 1;
    this.#offline = error.isNetwork;
    const why = error.isNetwork ? "" : ` (${error.message})`;
    setProblem("outbox", `${plural(this.rows.length, "answer")} not saved yet${why}. Kept here and sent again.`, "warning");
    const delay = Math.min(500 * 2 ** (this.#failures - 1), SLOWEST_MS);
    await new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      setTimeout(resolve, delay);
    });
    this.#wake = null;
  }

  #keep() {
    try {
      if (this.rows.length) localStorage.setItem(this.#storageKey, JSON.stringify(this.rows));
      else localStorage.removeItem(this.#storageKey);
    } catch { /* storage full or forbidden: the queue in memory still delivers */ }
  }
}

export const outbox = new Outbox();
