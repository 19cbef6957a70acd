/** Whether a page gets to read what is on its canvases, before it sends that to be scored. */
import { make } from "./dom.js";

const SIDE = 16; // pixels
const SLIGHT = 8; // of 255: noise up to this hides who someone is, and no drawing

export const HIDDEN = "This browser gives the page noise in place of what is drawn or filmed, as a protection against "
  + "fingerprinting, so that it cannot be scored. Allow this page to read canvases (there may be a sign in the address bar), "
  + "or choose a file instead.";

/** Paints half a canvas and looks whether it comes back. @returns {boolean} */
export function isCanvasReadable() {
  const context = make("canvas", { width: SIDE, height: SIDE }).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000000";
  context.fillRect(0, 0, SIDE, SIDE);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, SIDE, SIDE / 2);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  return data.every((/** @type {number} */ value, /** @type {number} */ at) => {
    const painted = at % 4 === 3 || at < data.length / 2 ? 255 : 0;
    return Math.abs(value - painted) <= SLIGHT;
  });
}
