/** Thumbnails of a batch: as large as they are shown, and fetched before they are needed. */
import { make } from "./dom.js";

/** Few widths, so that one picture serves many sizes of the grid. In device pixels. */
const WIDTHS = [160, 320, 640, 1280];
const PIXEL_ART = 128; // at most this many pixels wide and high: scaled up with hard edges

/** @type {Map<string, HTMLImageElement>} by address; fetched and not shown yet */
const ahead = new Map();

/** @param {number} shown width in CSS pixels @returns {number} the width to ask for */
export function widthFor(shown) {
  const needed = shown * devicePixelRatio;
  return WIDTHS.find((width) => width >= needed) ?? WIDTHS[WIDTHS.length - 1];
}

/** @param {string} media @param {number} width */
const addressOf = (media, width) => `${media}?width=${width}`;

/**
 * Fetch what the next batch is likely to hold, while this one is looked at. Decoded images are kept, for an
 * address alone would be asked for again.
 * @param {string[]} media @param {number} width
 */
export function fetchAhead(media, width) {
  const wanted = new Set(media.map((each) => addressOf(each, width)));
  for (const address of [...ahead.keys()]) if (!wanted.has(address)) ahead.delete(address);
  for (const address of wanted) {
    if (ahead.has(address)) continue;
    const img = newImage("low");
    ahead.set(address, img);
    img.src = address;
    img.decode().catch(() => ahead.delete(address));
  }
}

/** @param {string} media @param {number} width @returns {HTMLImageElement} loading, or there already */
export function thumbnail(media, width) {
  const address = addressOf(media, width);
  const known = ahead.get(address);
  ahead.delete(address);
  if (known) return known;
  const img = newImage("high");
  img.src = address;
  return img;
}

/** Ask for a larger picture where the present one is too small. @param {HTMLImageElement} img @param {string} media @param {number} width */
export function enlarge(img, media, width) {
  const present = Number(new URL(img.src).searchParams.get("width"));
  if (present < width) img.src = addressOf(media, width);
}

/** @param {"low"|"high"} priority @returns {HTMLImageElement} */
function newImage(priority) {
  const img = make("img", { alt: "", decoding: "async", draggable: "false", fetchpriority: priority });
  img.addEventListener("load", () => img.classList.toggle("pixelated", Math.max(img.naturalWidth, img.naturalHeight) <= PIXEL_ART));
  return img;
}
