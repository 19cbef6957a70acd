/** Showing one image as large as it deserves. */
import { make } from "./dom.js";
import { probeMedia } from "./api.js";

const PIXEL_ART = 128; // at most this many pixels wide and high: scaled up with hard edges
const LARGEST_STEP = 12;
const WIDTHS = [512, 768, 1024, 1536, 2048]; // few, so that a window of another size finds them in the cache

/** @type {WeakMap<HTMLElement, {width: number, height: number}>} boxes as last seen: to measure one costs a layout */
const seen = new WeakMap();

/** @param {HTMLElement} box */
const sizeOf = (box) => ({ width: box.clientWidth, height: box.clientHeight });

/**
 * Size an image for its box: tiny ones by a whole factor, so that all their pixels stay square and
 * equal; photographs to fit, and never blown up more than twice.
 * @param {HTMLImageElement} img decoded @param {HTMLElement} box
 */
export function fitImage(img, box) {
  const { naturalWidth: w, naturalHeight: h } = img;
  const { width, height } = seen.get(box) ?? sizeOf(box);
  if (!w || !h || !width || !height) return;
  const room = Math.min(width / w, height / h);
  const tiny = w <= PIXEL_ART && h <= PIXEL_ART;
  const scale = tiny && room >= 1 ? Math.min(Math.floor(room), LARGEST_STEP) : Math.min(room, 2);
  img.classList.toggle("pixelated", tiny);
  img.style.width = `${Math.max(1, Math.floor(w * scale))}px`;
  img.style.height = `${Math.max(1, Math.floor(h * scale))}px`;
}

/**
 * The address of a picture just large enough for a box; a smaller one comes as it is.
 * @param {string} media @param {HTMLElement} box
 */
export function mediaFor(media, box) {
  const side = Math.max(box.clientWidth, box.clientHeight) * devicePixelRatio;
  return `${media}?width=${WIDTHS.find((width) => width >= side) ?? WIDTHS[WIDTHS.length - 1]}`;
}

/** Whether a picture was scaled down on its way here. @param {HTMLImageElement} img made with `mediaFor` */
export function isReduced(img) {
  const width = Number(new URL(img.src).searchParams.get("width") ?? Infinity);
  return Math.max(img.naturalWidth, img.naturalHeight) >= width;
}

/** Keep the box's image fitted while the window changes. @param {HTMLElement} box */
export function keepFitted(box) {
  new ResizeObserver(() => {
    seen.set(box, sizeOf(box));
    const img = box.querySelector("img");
    if (img) fitImage(img, box);
  }).observe(box);
}

/**
 * @param {string} media @param {string} name used as the alternative text
 * @returns {Promise<HTMLImageElement>} decoded, so that it appears with no delay
 * @throws {ApiError} saying why it cannot be shown
 */
export async function loadImage(media, name) {
  const img = make("img", { alt: name, draggable: "false", decoding: "sync" });
  img.src = media;
  try {
    await img.decode();
  } catch {
    await probeMedia(media); // throws the server's own reason
    throw new Error("this browser cannot read the image");
  }
  return img;
}
