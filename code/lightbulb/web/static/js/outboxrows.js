/**
 * What waits to be sent, as it is kept in localStorage: a list for each tab, which the next page takes over.
 *
 * @typedef {{at?: number, aside?: string}} Kept `at`: when it was done, ms, in the order that it was done in;
 *   `aside`: the server's answer to a row that it cannot take
 * @typedef {Kept & import("./api.js").LabelRow & {kind?: "label", name: string, was?: string|null}} AnswerRow `was`: the label that it changes
 * @typedef {Kept & {kind: "undo", item: number, name: string, client_id: string, of: string}} UndoRow
 * @typedef {Kept & {kind: "flag", item: number, name: string, client_id: string, note: string, flagged: boolean}} FlagRow
 * @typedef {AnswerRow | UndoRow | FlagRow} Row
 */
import { postFlag, postLabels, postUndo } from "./api.js";

const MOST_FLAGS = 500; // remembered: flags that wait are never that old

/** @param {Row} row */
export const kindOf = (row) => row.kind ?? "label";

/** @type {Record<string, (rows: any[]) => Promise<any>>} */
export const SEND = {
  label: (rows) => postLabels(rows.map(({ item, label, seconds, client_id }) => ({ item, label, seconds, client_id }))),
  undo: ([{ of }]) => postUndo(of),
  flag: ([{ item, note, flagged }]) => postFlag({ item, note, flagged }),
};

/** @param {string} key @param {any} otherwise @returns {any} */
function read(key, otherwise) {
  try { return JSON.parse(localStorage.getItem(key) ?? "null") ?? otherwise; } catch { return otherwise; }
}

/** @param {string} key @param {any} value null takes it away */
function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch { /* storage full or forbidden: what is in memory still goes out */ }
}

/** @param {string} key @param {Row[]} rows */
export const keepRows = (key, rows) => { if (key) write(key, rows.length ? rows : null); };

/** The rows of all tabs there were, in the order that they were done in. @param {string} prefix @param {string} own key of this tab
 * @returns {Row[]} */
export function takeOver(prefix, own) {
  /** @type {Map<string, Row>} */
  const found = new Map();
  let keys = /** @type {string[]} */ ([]);
  try { keys = Object.keys(localStorage).filter((name) => name.startsWith(prefix)).sort(); } catch { /* forbidden */ }
  for (const key of keys) {
    for (const row of read(key, [])) if (!found.has(row.client_id)) found.set(row.client_id, row);
    // a tab that is still open writes its own again with its next answer
    if (key !== own) write(key, null);
  }
  return [...found.values()].sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
}

/**
 * The last flag that any tab of this browser put on an item or took off. A flag has no name that the server knows
 * it by: what another tab still holds of before must not be sent after it.
 */
export class FlagOrder {
  /** @param {string} pool whose item ids these are */
  constructor(pool) { this.key = `lightbulb:flags:${pool}`; }

  /** @param {number[]} items @param {number} at ms @param {boolean} isDelivered */
  note(items, at, isDelivered) {
    const last = read(this.key, {});
    for (const item of items.slice(0, MOST_FLAGS)) if (!(last[item]?.at > at)) last[item] = { at, isDelivered };
    const newest = Object.entries(last).sort(([, a], [, b]) => b.at - a.at).slice(0, MOST_FLAGS);
    write(this.key, Object.fromEntries(newest));
  }

  /** Whether another one has come after it, or it was delivered itself. @param {Row} row */
  isPast({ item, at = 0 }) {
    const last = read(this.key, {})[item];
    return Boolean(last) && (at < last.at || (at === last.at && last.isDelivered));
  }
}
