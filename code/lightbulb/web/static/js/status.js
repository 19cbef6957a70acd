/** Asks /api/status about once a second, more slowly while the server is away. */
import { getStatus, reachable } from "./api.js";
import { setProblem, setServerBanners } from "./banners.js";

const EVERY_MS = 1000;
const SLOWEST_MS = 10_000;
const SOONEST_MS = 500; // five answers a second need no five polls

/** @type {any} the last status that came, or null */
let latest = null;
/** @type {((status: any) => void)[]} */
const listeners = [];
let timer = 0;
let askedAt = -Infinity; // ms
let failures = 0;
let asking = false;

/** @param {(status: any) => void} listener called at once when a status is known, and on each new one */
export function onStatus(listener) {
  listeners.push(listener);
  if (latest) listener(latest);
}

async function poll() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  askedAt = performance.now();
  try {
    latest = await getStatus();
    failures = 0;
    setProblem("status", null);
    setServerBanners(latest.banners ?? []);
    listeners.forEach((listener) => listener(latest));
  } catch (error) {
    failures += 1;
    if (error.isOtherDataset) location.reload(); // what is unsent is kept for the dataset that it belongs to
    // without an answer at all, "reachable" below has already said so
    if (!error.isNetwork) setProblem("status", `The server reports a problem: ${error.message}`);
  } finally {
    asking = false;
    const delay = Math.min(EVERY_MS * 2 ** Math.min(failures, 5), SLOWEST_MS);
    if (!document.hidden) timer = window.setTimeout(poll, delay);
  }
}

/** Ask now or very soon, for instance just after an answer was saved. */
export function pollNow() {
  clearTimeout(timer);
  timer = window.setTimeout(poll, askedAt + SOONEST_MS - performance.now());
}

export function startPolling() {
  reachable.addEventListener("change", (event) => setProblem("network", /** @type {CustomEvent} */ (event).detail
    ? null : "The server cannot be reached. Trying again; answers are kept in this browser until it is back."));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  window.addEventListener("online", () => poll());
  poll();
}
