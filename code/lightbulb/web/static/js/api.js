/**
 * The only module that talks to the server. Every call resolves to the parsed JSON answer
 * or rejects with an ApiError.
 *
 * @typedef {{label: string, score: number}} Guess
 * @typedef {{note: string, annotator?: string, at?: string}} Flag
 * @typedef {{item: number, name: string, media: string, guess: Guess|null, scores: number[]|null, flag: Flag|null}} Question
 * @typedef {{item: number, name: string, media: string, label: string|null, action: number, flag: Flag|null}} GivenAnswer
 * @typedef {{name: string, key: string|null}} LabelClass
 * @typedef {{title: string, description: string, dataset: string, pool: string, confidence: number,
 *   label: {type: string, classes: LabelClass[]}}} Task
 * @typedef {{item: number, label: string|null, seconds: number, client_id: string}} LabelRow
 * @typedef {{item: number, name: string, media: string, score: number, similar: number, place: number}} BatchItem
 *   similar: place in a row with similar ones side by side; place: in the batch as it came, set by the page
 * @typedef {{audited: number, wrong: number, candidates: number, bound: number|null, certified: boolean, rest: number, needed: number|null}} Audit
 * @typedef {{batch: number|null, label: string, candidates: number, items: BatchItem[], audit: Audit|null,
 *   ahead: {item: number, media: string}[], certificates: Certificate[]}} Batch
 * @typedef {{batch: number, label: string, audit: Audit}} Certificate
 * @typedef {{audit: number, label: string, labels: number, audited: number, wrong: number, withdrawn: number,
 *   found: number, removed: number, allowed: number, most: number|null, to_check: number}} Lapsed accepted, and borne out no more
 * @typedef {{item: number, name: string, media: string, state: string, label: string|null,
 *   source: string|null, annotator: string|null, at: string|null, reason: string|null, proposal: Guess|null,
 *   guess: Guess|null, similarity: number|null, flag: Flag|null}} ListedItem
 * @typedef {{item: number, name: string, media: string, actual: string, predicted: string, score: number}} MeasuredItem
 * @typedef {{value: number, low: number, high: number, n: number}} Accuracy
 * @typedef {{version: number, created_at: string, labels: number, accuracy: Accuracy|null, seconds: number|null, bytes: number}} Version
 * @typedef {{name: string, labels: number, precision: number|null, recall: number|null, n: number, threshold: number}} ClassRow
 * @typedef {{item: number, name: string, media: string, label: string, similarity: number}} Neighbour
 * @typedef {{labels: string[], scores: number[][], model: number, nearest?: Neighbour[][]|null}} Scored
 * @typedef {{undone: number, kind: "label"|"skip"|"bulk"|"clear"|"batch"|"accept", items: number[], questions?: Question[]}} Undone
 */

const TIMEOUT_MS = 20_000;
/** Statuses that say "not now" rather than "never": what was sent is kept and sent again. */
const PASSING = new Set([401, 403, 408, 425, 429]);
/** The pool that this page is about: its item ids mean other items in any other. */
let pool = "";

export class ApiError extends Error {
  /** @param {string} message @param {{status?: number, code?: string, details?: any[]}} more */
  constructor(message, { status = 0, code = "network", details = [] } = {}) {
    super(message);
    this.status = status; // 0: no answer came at all
    this.code = code;
    this.details = details;
  }

  get isNetwork() { return this.status === 0; }

  /** True when sending the same thing again may well work. */
  get isPassing() { return this.isNetwork || this.status >= 500 || PASSING.has(this.status) || this.isOtherDataset; }

  /** True when a server with another dataset has taken the place of the one that this page is about. */
  get isOtherDataset() { return this.code === "other_dataset"; }
}

/** Tells listeners `event.detail === true` after each answer, `false` when none came. */
export const reachable = new EventTarget();
const report = (/** @type {boolean} */ ok) =>
  reachable.dispatchEvent(new CustomEvent("change", { detail: ok }));

/** @param {Response} response */
async function errorFrom(response) {
  const body = await response.json().catch(() => null);
  const { code = "http_error", message = `The server answered ${response.status}.`, details = [] } = body?.error ?? {};
  return new ApiError(message, { status: response.status, code, details: details ?? [] });
}

/**
 * @param {string} path
 * @param {RequestInit & {timeout?: number}} options
 * @returns {Promise<Response>} a response with a 2xx status
 * @throws {ApiError}
 */
async function request(path, { timeout = TIMEOUT_MS, signal = null, ...options } = {}) {
  const headers = { ...options.headers, ...(pool && path.startsWith("/api/") ? { "X-Lightbulb-Pool": pool } : {}) };
  const abort = new AbortController();
  signal?.addEventListener("abort", () => abort.abort(), { once: true });
  const timer = setTimeout(() => abort.abort(), timeout);
  let response;
  try {
    response = await fetch(path, { ...options, headers, signal: abort.signal, cache: options.cache ?? "no-store" });
  } catch {
    if (signal?.aborted) throw new ApiError("No longer wanted.", { code: "aborted" });
    report(false);
    throw new ApiError("The server cannot be reached.");
  } finally {
    clearTimeout(timer);
  }
  report(true);
  if (!response.ok) throw await errorFrom(response);
  return response;
}

/** @param {string} path @param {RequestInit & {timeout?: number}} [options] */
export async function json(path, options) {
  const response = await request(path, { ...options, headers: { Accept: "application/json", ...options?.headers } });
  try {
    return await response.json();
  } catch {
    throw new ApiError("The answer was cut short.", { status: 502, code: "bad_answer" });
  }
}

/**
 * Sends files, and says how much of them is sent, which fetch does not tell. Resolves to the parsed JSON answer.
 * @param {string} path @param {FormData} form
 * @param {{signal: AbortSignal, timeout: number, progress: (bytes: number) => void}} options
 * @returns {Promise<any>}
 */
export const sendForm = (path, form, { signal, timeout, progress }) => new Promise((resolve, reject) => {
  const sending = new XMLHttpRequest();
  const fail = (/** @type {string} */ message, code = "network") => reject(new ApiError(message, { code }));
  sending.open("POST", path);
  sending.timeout = timeout;
  if (pool) sending.setRequestHeader("X-Lightbulb-Pool", pool);
  sending.upload.addEventListener("progress", ({ loaded }) => progress(loaded));
  sending.addEventListener("load", async () => {
    report(true);
    const response = new Response(sending.responseText, { status: sending.status });
    if (response.ok) response.json().then(resolve, () => fail("The answer was cut short.", "bad_answer"));
    else reject(await errorFrom(response));
  });
  for (const name of ["error", "timeout"]) sending.addEventListener(name, () => { report(false); fail("The server cannot be reached."); });
  sending.addEventListener("abort", () => fail("No longer wanted.", "aborted"));
  signal.addEventListener("abort", () => sending.abort(), { once: true });
  sending.send(form);
});

/** @param {string} path @param {object} body @param {RequestInit & {timeout?: number}} [options] */
export const post = (path, body, options) => json(path, {
  ...options, method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
});

/** @param {Record<string, string|number>} values */
export const query = (values) => new URLSearchParams(Object.entries(values).map(([k, v]) => [k, String(v)])).toString();

/** What /api/task says, as it came with the page. @returns {Task} */
export function readTask() {
  const task = JSON.parse(document.getElementById("task")?.textContent ?? "");
  pool = task.pool;
  return task;
}

/** @returns {Promise<any>} */
export const getStatus = () => json("/api/status", { timeout: 8_000 });

/** @param {number} n @param {string} client @param {number[]} have @returns {Promise<{questions: Question[], remaining: number}>} */
export const getQuestions = (n, client, have) => json(`/api/questions?${query({ n, client, have: have.join(",") })}`);

/** `keepalive` lets the last answer arrive although its page is being left. @param {LabelRow[]} labels */
export const postLabels = (labels) => post("/api/labels", { labels }, { keepalive: true });

/** @param {string} [of] the client_id of an answer; by default the last action @returns {Promise<Undone>} */
export const postUndo = (of) => post("/api/undo", of ? { of } : {}, { keepalive: true });

/** @param {{item: number, note: string, flagged: boolean}} flag */
export const postFlag = (flag) => post("/api/flags", flag, { keepalive: true });

/** One's own last answers, the latest first. @param {number} n @param {number} [before] only from actions before this
 * @returns {Promise<{answers: GivenAnswer[]}>} */
export const getAnswers = (n, before) => json(`/api/answers?${query(before ? { n, before } : { n })}`);

/** @param {string} client @param {string} label "" for the class with most proposals @returns {Promise<Batch>} */
export const getNextBatch = (client, label) => json(`/api/batches/next?${query(label ? { client, label } : { client })}`);

/** @param {number} batch @param {{item: number, label: string|null}[]} rejected @param {number} seconds */
export const postBatch = (batch, rejected, seconds) => post(`/api/batches/${batch}`, { rejected, seconds });

/** @param {number} batch any batch of the audit @returns {Promise<{certified: number, action: number}>} */
export const postAcceptRest = (batch) => post(`/api/batches/${batch}/accept-rest`, {});

/** A batch of what was accepted on an audit. @param {number} audit @param {string} client @returns {Promise<Batch>} */
export const postCheck = (audit, client) => post(`/api/certificates/${audit}/check`, { client });

/** @param {number} audit @returns {Promise<{removed: number, action: number}>} */
export const postTakeBack = (audit) => post(`/api/certificates/${audit}/take-back`, {});

/** @returns {Promise<{models: any[]}>} one row for each model there was */
export const getHistory = () => json("/api/history");

/** @returns {Promise<{model: any}>} the one that serves, null before the first */
export const getModel = () => json("/api/model");

/**
 * Many thumbnails in one answer: a request for each would take longer than making them.
 * @param {number[]} items @param {number} width @returns {Promise<Record<string, string>>} data: URLs by item
 */
export const getThumbnails = async (items, width) =>
  (await json(`/media/thumbnails?${query({ items: items.join(","), width })}`)).thumbnails;

/** @param {string} actual @param {string} predicted @returns {Promise<{version: number, items: MeasuredItem[]}>} */
export const getCell = (actual, predicted) => json(`/api/model/confusion?${query({ actual, predicted })}`);

/** @returns {Promise<{models: Version[], pinned: number|null, serving: number|null}>} */
export const getModels = () => json("/api/models");

/** @param {number} version */
export const postServe = (version) => post(`/api/models/${version}/serve`, {});

export const postRelease = () => post("/api/models/release", {});

/** @param {string} url @param {number} nearest labelled items to name beside @returns {Promise<Scored>} */
export const scoreUrl = (url, nearest = 0) => post(`/score?${query({ nearest })}`, { type: "images", urls: [url] }, { timeout: 60_000 });

/** @param {Blob} file @param {number} nearest labelled items to name beside @returns {Promise<Scored>} */
export function scoreFile(file, nearest = 0) {
  const form = new FormData();
  form.append("files", file, (file instanceof File && file.name) || "image");
  return json(`/score?${query({ nearest })}`, { method: "POST", body: form, timeout: 60_000 });
}

/**
 * Why an image did not load: an <img> tells no status. Resolves when the bytes are there after all.
 * @param {string} media
 */
export const probeMedia = async (media) => { (await request(media)).body?.cancel(); };
