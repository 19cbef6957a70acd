/**
 * What a person did, on its way to the server: in order, one request at a time, kept in localStorage until
 * the server has said 200. Sending twice is harmless: the server knows each answer by its client_id, takes
 * one answer back once only, and of the flags on an item the last one is sent (FlagOrder).
 *
 * What the server fails on again and again, in the same way, is set aside: kept too, until a person has it
 * sent again or drops it; everything else goes out meanwhile.
 *
 * Events: "saved" after each delivery, "refused" ({detail: {row, message}}) for what was turned down,
 * "aside" when what is set aside is another.
 */
import { reachable } from "./api.js";
import { setProblem } from "./banners.js";
import { uuid } from "./client.js";
import { painted } from "./dom.js";
import { plural } from "./format.js";
import { FlagOrder, keepRows, kindOf, SEND, takeOver } from "./outboxrows.js";

/** @typedef {import("./outboxrows.js").Row} Row @typedef {import("./outboxrows.js").AnswerRow} AnswerRow */

const MOST_ROWS = 50; // a request that outlives its page may carry 64 KiB
const SLOWEST_MS = 8000;
const MOST_TRIES = 5; // with one and the same failure; of many rows at once 2, to find the one it is about
const AWAY = new Set([502, 503, 504]); // the server is away or not ready, whatever is asked of it

/** @param {Row} old @param {Row} row */
const isSuperseded = (old, row) => row.item === old.item && kindOf(row) === kindOf(old) && (row.at ?? 0) > (old.at ?? 0);

class Outbox extends EventTarget {
  /** @type {Row[]} */ rows = [];
  /** @type {Row[]} rows that the server fails on */ aside = [];
  /** @type {Map<string, (saved: boolean) => void>} */ #waiting = new Map();
  /** @type {(() => void)|null} */ #wake = null;
  #storageKey = "";
  #flags = new FlagOrder("");
  #running = false;
  #failures = 0;
  #same = { what: "", times: 0 }; // the last failure of the server itself, and how often it came in a row
  #offline = false; // the last failure was "no answer at all"
  #most = MOST_ROWS;
  #last = 0; // ms: when the last row was added

  /** Take over what earlier pages left. Item ids mean nothing in another dataset, hence the name.
   * @param {string} dataset @param {string} client */
  start(dataset, client) {
    const prefix = `lightbulb:outbox:${dataset}:`;
    this.#storageKey = prefix + client;
    this.#flags = new FlagOrder(dataset);
    const kept = takeOver(prefix, this.#storageKey);
    this.aside = kept.filter((row) => row.aside !== undefined);
    this.rows = [...kept.filter((row) => row.aside === undefined), ...this.rows];
    this.#last = kept.at(-1)?.at ?? 0;
    this.#keep();
    if (this.aside.length) this.dispatchEvent(new Event("aside"));
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

  /** Items that were answered here, whether or not the server knows: not to be asked about. @returns {number[]} */
  get answered() { return [...this.answers, ...this.aside.filter((row) => kindOf(row) === "label")].map(({ item }) => item); }

  /** @param {Row} row @returns {Promise<boolean>} true once saved, false when refused or set aside */
  add(row) {
    this.#last = Math.max(Date.now(), this.#last + 1); // in order, although the clock is set back
    const added = { ...row, at: this.#last };
    this.rows.push(added);
    this.#keep();
    if (added.kind === "flag") this.#flags.note([added.item], added.at, false);
    const done = new Promise((resolve) => this.#waiting.set(row.client_id, resolve));
    this.#send();
    return done;
  }

  /** Flags that were put or taken off without this: none of before may come after them. @param {number[]} items @param {number} at ms */
  flagged(items, at) { this.#flags.note(items, at, true); }

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

  /** Send again what was set aside, before what waits. */
  retryAside() {
    this.rows.unshift(...this.aside.map(({ aside, ...row }) => /** @type {Row} */ (row)));
    this.#changeAside([]);
    this.#wake?.();
    this.#send();
  }

  /** @returns {Row[]} what was set aside, and is kept no longer */
  dropAside() {
    const dropped = this.aside;
    this.#changeAside([]);
    return dropped;
  }

  /** @param {Row[]} rows that were dropped */
  restoreAside(rows) { this.#changeAside([...rows, ...this.aside]); }

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
    if (this.rows.length) await painted(); // a request takes as long to begin as the next picture to be put there
    while (this.rows.length) {
      const rows = this.#head();
      try {
        if (rows[0].kind !== "flag" || !this.#flags.isPast(rows[0])) await SEND[kindOf(rows[0])](rows);
        this.#delivered(rows);
      } catch (error) {
        if (!error.isPassing) this.#refuse(rows, error);
        else if (this.#isStuck(rows, error)) this.#setAside(rows, error);
        else await this.#pause(error);
      }
    }
    this.#running = false;
  }

  /** @param {Row[]} rows */
  #delivered(rows) {
    for (const { kind, item, at = 0 } of rows) if (kind === "flag") this.#flags.note([item], at, true);
    this.#settle(rows, true);
    // what a person has changed since need not be tried again, and must not be the last word
    const isPast = (/** @type {Row} */ old) => rows.some((row) => isSuperseded(old, row));
    if (this.aside.some(isPast)) this.#changeAside(this.aside.filter((old) => !isPast(old)));
    this.dispatchEvent(new Event("saved"));
  }

  /** Whether the server has failed on these rows, the same way, often enough. @param {Row[]} rows @param {import("./api.js").ApiError} error */
  #isStuck(rows, { status, code, message }) {
    if (status < 500 || AWAY.has(status)) return false;
    const what = [rows[0].client_id, status, code, message].join(" ");
    this.#same = { what, times: this.#same.what === what ? this.#same.times + 1 : 1 };
    return this.#same.times >= (rows.length > 1 ? 2 : MOST_TRIES);
  }

  /** @param {Row[]} rows @param {import("./api.js").ApiError} error */
  #setAside(rows, { message }) {
    this.#same = { what: "", times: 0 };
    this.#failures = 0;
    if (rows.length > 1) { this.#most = 1; return; }
    const [row] = rows;
    const isTakenBack = this.rows.some((other) => other.kind === "undo" && other.of === row.client_id);
    if (!isTakenBack) this.#changeAside([...this.aside.filter((old) => !isSuperseded(old, row)), { ...row, aside: message }]);
    this.#settle(rows, false);
  }

  /** @param {Row[]} rows */
  #changeAside(rows) {
    this.aside = rows;
    this.#keep();
    this.dispatchEvent(new Event("aside"));
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

  #keep() { keepRows(this.#storageKey, [...this.aside, ...this.rows]); }
}

export const outbox = new Outbox();
