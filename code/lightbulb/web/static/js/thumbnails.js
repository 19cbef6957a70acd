/** Thumbnails of a batch: many in one answer, as large as they are shown, and fetched before they are needed. */
import { getThumbnails } from "./api.js";
import { make } from "./dom.js";

/** Few widths, so that one picture serves many sizes of the grid. In device pixels. */
const WIDTHS = [160, 320, 640];
const PIXEL_ART = 128; // at most this many pixels wide and high: scaled up with hard edges
const AT_ONCE = 25; // in one answer: a few answers come side by side, and the first pictures soon

/** @typedef {{item: number, media: string}} Shown */
/** @type {Map<number, HTMLImageElement>} by item; fetched and not shown yet */
const ahead = new Map();
/** @type {WeakMap<HTMLImageElement, Promise<boolean>>} settles when it is known whether it can be shown */
const settled = new WeakMap();

/** @param {number} shown width in CSS pixels @returns {number} the width to ask for */
export function widthFor(shown) {
  const needed = shown * devicePixelRatio;
  return WIDTHS.find((width) => width >= needed) ?? WIDTHS[WIDTHS.length - 1];
}

/** @param {HTMLImageElement} img @returns {Promise<boolean>} whether it can be shown */
export const whenSettled = (img) => settled.get(img) ?? Promise.resolve(true);

/**
 * Fetch what the next batch is likely to hold, while this one is looked at.
 * @param {Shown[]} items @param {number} width
 */
export function fetchAhead(items, width) {
  const wanted = new Set(items.map(({ item }) => item));
  for (const item of [...ahead.keys()]) if (!wanted.has(item)) ahead.delete(item);
  const missing = items.filter(({ item }) => !ahead.has(item));
  makeImages(missing, width).forEach((img, index) => ahead.set(missing[index].item, img));
}

/** @param {Shown[]} items @param {number} width @returns {HTMLImageElement[]} in their order; loading, or there already */
export function thumbnails(items, width) {
  const isThere = (/** @type {Shown} */ { item }) => Number(ahead.get(item)?.dataset.width) >= width;
  const missing = items.filter((each) => !isThere(each));
  const made = makeImages(missing, width);
  const images = items.map((each) => (isThere(each) ? /** @type {HTMLImageElement} */ (ahead.get(each.item)) : made[missing.indexOf(each)]));
  ahead.clear();
  return images;
}

/** Show a larger picture where the present one is too small. @param {{img: HTMLImageElement, item: Shown}[]} cells @param {number} width */
export function enlarge(cells, width) {
  const small = cells.filter(({ img }) => img.isConnected && Number(img.dataset.width) < width);
  fill(small.map(({ img, item }) => ({ img, ...item })), width);
}

/** @param {Shown[]} items @param {number} width */
function makeImages(items, width) {
  const images = items.map(() => newImage());
  fill(items.map((each, index) => ({ ...each, img: images[index] })), width);
  return images;
}

/** @param {(Shown & {img: HTMLImageElement})[]} wanted @param {number} width */
function fill(wanted, width) {
  for (const { img } of wanted) img.dataset.width = String(width);
  for (let start = 0; start < wanted.length; start += AT_ONCE) fillSome(wanted.slice(start, start + AT_ONCE), width);
}

/** @param {(Shown & {img: HTMLImageElement})[]} wanted @param {number} width */
async function fillSome(wanted, width) {
  /** @type {Record<string, string>} */
  const made = await getThumbnails(wanted.map(({ item }) => item), width).catch(() => ({}));
  // what is missing is asked for by itself: the image knows then whether it can be shown
  for (const { img, item, media } of wanted) img.src = made[item] ?? `${media}?width=${width}`;
}

/** @returns {HTMLImageElement} */
function newImage() {
  const img = make("img", { alt: "", decoding: "async", draggable: "false" });
  img.addEventListener("load", () => img.classList.toggle("pixelated", Math.max(img.naturalWidth, img.naturalHeight) <= PIXEL_ART));
  settled.set(img, new Promise((resolve) => {
    img.addEventListener("load", () => resolve(true), { once: true });
    img.addEventListener("error", () => resolve(false), { once: true });
  }));
  return img;
}
