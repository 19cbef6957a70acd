/**
 * What a person did, on its way to the server: in order, one request at a time, kept in localStorage until
 * the server has said 200. Sending twice is harmless: the server knows each answer by its client_id, takes
 * one answer back once only, and a flag is put or taken off however often.
 *
 * Events: "saved" after each delivery, "refused" ({detail: {row, message}}) for what was turned down.
 */
import { postFlag, postLabels, postUndo, reachable } from "./api.js";
import { setProblem } from "./banners.js";
import { uuid } from "./client.js";
import { plural } from "./format.js";

/**
 * @typedef {import("./api.js").LabelRow & {kind?: "label", name: string, was?: string|null}} AnswerRow `was`: the label that it changes
 * @typedef {{kind: "undo", item: number, name: string, client_id: string, of: string}} UndoRow
 * @typedef {{kind: "flag", item: number, name: string, client_id: string, note: string, flagged: boolean}} FlagRow
 * @typedef {AnswerRow | UndoRow | FlagRow} Row
 */

const MOST_ROWS = 50; // a request that outlives its page may carry 64 KiB
const SLOWEST_MS = 8000;

/** @param {Row} row */
const kindOf = (row) => row.kind ?? "label";

/** @type {Record<string, (rows: any[]) => Promise<any>>} */
const SEND = {
  label: (rows) => postLabels(rows.map(({ item, label, seconds, client_id }) => ({ item, label, seconds, client_id }))),
  undo: ([{ of }]) => postUndo(of),
  flag: ([{ item, note, flagged }]) => postFlag({ item, note, flagged }),
};

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

  /** @returns {AnswerRow[]} answers that the server may not know of yet, but for those taken back */
  get answers() {
    const takenBack = new Set(this.rows.map((row) => (row.kind === "undo" ? row.of : null)));
    return /** @type {AnswerRow[]} */ (this.rows.filter((row) => kindOf(row) === "label" && !takenBack.has(row.client_id)));
  }

  /** @param {Row} row @returns {Promise<boolean>} true once saved, false when refused */
  add(row) {
    this.rows.push(row);
    this.#keep();
    const done = new Promise((resolve) => this.#waiting.set(row.client_id, resolve));
    this.#send();
    return done;
  }

  /**
   * Take the last answer back that is still here. It goes out all the same, since it may have arrived already,
   * and its undo after it. @returns {AnswerRow|null} null when none is here
   */
  takeBack() {
    const last = this.answers.at(-1);
    if (!last) return null;
    this.add({ kind: "undo", item: last.item, name: last.name, client_id: uuid(), of: last.client_id });
    return last;
  }

  /** Resolves to true when everything is delivered, false when that takes longer than ms. @param {number} ms */
  async flush(ms) {
    const end = performance.now() + ms;
    this.#wake?.();
    while (this.rows.length && performance.now() < end) await new Promise((r) => setTimeout(r, 15));
    return this.rows.length === 0;
  }

  /** What the next request carries: some answers, or one thing of another kind. @returns {Row[]} */
  #head() {
    const kind = kindOf(this.rows[0]);
    const end = this.rows.findIndex((row) => kindOf(row) !== kind);
    return this.rows.slice(0, Math.min(kind === "label" ? this.#most : 1, end < 0 ? Infinity : end));
  }

  async #send() {
    if (this.#running) return;
    this.#running = true;
    while (this.rows.length) {
      const rows = this.#head();
      try {
        await SEND[kindOf(rows[0])](rows);
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
    if (error.code === "nothing_to_undo") return; // what it takes back was refused itself, which has been said
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
    const what = this.rows.every((row) => kindOf(row) === "label") ? "answer" : "change";
    setProblem("outbox", `${plural(this.rows.length, what)} not saved yet${why}. Kept here and sent again.`, "warning");
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
