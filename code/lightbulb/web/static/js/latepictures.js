/** Pictures that did not come: asked for again while the server is away, given up once it says that there is none. */
import { probeMedia, reachable } from "./api.js";

const FIRST_WAIT_MS = 500;
const SLOWEST_MS = 8000;
const MOST_UNREADABLE = 2; // the bytes come, and are no picture to this browser

/** @param {number} ms @param {boolean} isAway the server: no longer than until it answers anything */
const pause = (ms, isAway) => new Promise((resolve) => {
  const done = () => { clearTimeout(timer); reachable.removeEventListener("change", heard); resolve(undefined); };
  const heard = (/** @type {Event} */ event) => { if (isAway && /** @type {CustomEvent} */ (event).detail) done(); };
  const timer = setTimeout(done, ms);
  reachable.addEventListener("change", heard);
});

/** @param {HTMLImageElement} img @param {string} address @returns {Promise<boolean>} */
const loads = (img, address) => new Promise((resolve) => {
  img.addEventListener("load", () => resolve(true), { once: true });
  img.addEventListener("error", () => resolve(false), { once: true });
  img.src = address;
});

/**
 * @param {HTMLImageElement} img that failed @param {string} address
 * @returns {Promise<boolean>} false when it never can be shown; true when it is, or left the page
 */
export async function loadAgain(img, address) {
  let unreadable = 0;
  for (let wait = FIRST_WAIT_MS; img.isConnected; wait = Math.min(wait * 2, SLOWEST_MS)) {
    let isAway = false;
    try {
      await probeMedia(address);
      if (await loads(img, address)) return true;
      unreadable += 1;
      if (unreadable >= MOST_UNREADABLE) return false;
    } catch (error) {
      if (!error.isPassing) return false;
      isAway = error.isNetwork;
    }
    await pause(wait, isAway);
  }
  return true;
}
