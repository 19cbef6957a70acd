/** What the Dataset page asks of the server, through api.js. */
import { json, post, query, sendForm } from "./api.js";
import { outbox } from "./outbox.js";

/**
 * @typedef {import("./api.js").ListedItem} ListedItem
 * @typedef {{item: number, name: string, media: string, label: string|null}} Labelled
 * @typedef {{action: number, kind: string, value: string|null, source: string, annotator: string,
 *   created_at: string, seconds: number|null, undone_at: string|null, in_force: boolean}} PastLabel
 * @typedef {{action: number, label: string, annotator: string, created_at: string, undone_at: string|null}} Refusal
 * @typedef {{note: string, annotator: string, at: string, flagged: boolean}} PastFlag
 * @typedef {ListedItem & {history: PastLabel[], refusals: Refusal[], flags: PastFlag[]}} ItemWithHistory
 * @typedef {{items: Labelled[], size: number, labels: Record<string, number>, kind: string}} Group
 * @typedef {{state: string, compared: number, total: number, exact: boolean, groups: Group[], counts: Record<string, number>}} Duplicates
 * @typedef {{suspects: (Labelled & {suggested: string, score: number})[], conflicts: {items: Labelled[]}[]}} Doubts
 * @typedef {{name: string, result: "added"|"known"|"refused", key: string|null, item: number|null, problem: string|null}} Upload
 */

const SLOW_MS = 60_000; // comparing an item with a million others takes a moment

/** @param {Record<string, string|number|boolean>} filter @param {AbortSignal} [signal] @returns {Promise<{total: number, items: ListedItem[]}>} */
export const getItems = (filter, signal) => json(`/api/items?${query(filter)}`, { signal, timeout: SLOW_MS });

/** @param {Record<string, string|number|boolean>} filter @returns {Promise<{total: number, ids: number[]}>} */
export const getItemIds = (filter) => json(`/api/items/ids?${query(filter)}`, { timeout: SLOW_MS });

/** @param {number} item @returns {Promise<ItemWithHistory>} */
export const getItem = (item) => json(`/api/items/${item}`);

/** @returns {Promise<{annotators: string[]}>} */
export const getAnnotators = () => json("/api/annotators");

/** @param {{item: number, label: string|null}[]} labels @param {string} id one name for the whole step
 * @returns {Promise<{saved: number, action: number, kept: number}>} kept: skipped, but with a label, which stays */
export const postTogether = (labels, id) => post("/api/labels", { labels, as_one: true, client_id: id }, { timeout: SLOW_MS });

/** @param {number[]} items @param {string} id @returns {Promise<{removed: number, action: number}>} */
export const postRemove = (items, id) => post("/api/labels/remove", { items, client_id: id }, { timeout: SLOW_MS });

/** @param {number[]} items @param {string} note @param {boolean} flagged @returns {Promise<{changed: number}>} */
export async function postFlags(items, note, flagged) {
  const at = Date.now();
  const answer = await post("/api/flags/many", { items, note, flagged }, { timeout: SLOW_MS });
  outbox.flagged(items, at);
  return answer;
}

export const postRescan = () => post("/api/rescan", {}, { timeout: 600_000 });

/** @returns {Promise<Doubts>} */
export const getSuspects = () => json("/api/suspects", { timeout: SLOW_MS });

/** @param {number} offset @param {number} limit @returns {Promise<Duplicates>} */
export const getDuplicates = (offset, limit) => json(`/api/duplicates?${query({ offset, limit })}`, { timeout: SLOW_MS });

/** @param {{file: File, path: string}[]} files @param {AbortSignal} signal @param {(bytes: number) => void} progress bytes sent
 * @returns {Promise<{added: number, files: Upload[]}>} */
export function postFiles(files, signal, progress) {
  const form = new FormData();
  for (const { file, path } of files) form.append("files", file, path);
  return sendForm("/api/upload", form, { signal, progress, timeout: 300_000 });
}
