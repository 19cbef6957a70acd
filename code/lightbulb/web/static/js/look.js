/** How the dataset's images look on the whole, so that a drawing can look alike: from a dozen thumbnails. */
import { isCanvasReadable } from "./canvascheck.js";
import { getItems } from "./datasetapi.js";
import { make } from "./dom.js";

/**
 * isDark: bright ink on a dark ground. size: pixels that a drawing should have. For scans and icons, which show one
 * thing on an even ground: fill, the share of the frame that it takes, else null; grain: how many pixels of
 * the frame's side there really are, where they were enlarged, else size.
 * @typedef {{isDark: boolean, size: number, fill: number|null, grain: number}} Look
 */

const SAMPLE = 12;
const LARGEST_SMALL = 128; // pixels: scans and icons; what is larger is a photograph
/** @type {Look} */ export const USUAL = { isDark: false, size: 256, fill: null, grain: 256 };
const DARK = 0.3; // lightness of the edges below which a ground is dark; photographs are in between
const INK = 0.3; // difference in lightness from the ground
const GRAINS = [8, 12, 16, 24, 32, 48];
const SAME = 0.02; // mean difference in lightness up to which two images look the same

/** @param {string} src @returns {Promise<HTMLImageElement|null>} */
async function load(src) {
  const img = make("img", { alt: "", src });
  try {
    await img.decode();
    return img;
  } catch {
    return null;
  }
}

/** @param {number} side @returns {CanvasRenderingContext2D} */
function square(side) {
  const context = make("canvas", { width: side, height: side }).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  return context;
}

/** Lightness of each pixel, 0 to 1. @param {CanvasImageSource} image @param {number} side */
function lightness(image, side) {
  const context = square(side);
  context.drawImage(image, 0, 0, side, side);
  const { data } = context.getImageData(0, 0, side, side);
  return Float32Array.from({ length: side * side }, (_, at) => (data[4 * at] + data[4 * at + 1] + data[4 * at + 2]) / 765);
}

/** @param {Iterable<number>} values */
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor([...values].length / 2)];

/** Median lightness along the edges. @param {Float32Array} pixels @param {number} side */
const groundOf = (pixels, side) => median(pixels.filter((_, at) => at < side || at >= side * (side - 1) || at % side === 0 || at % side === side - 1));

/** The share of the frame that the longer side of the ink takes. @param {Float32Array} pixels @param {number} side */
function fillOf(pixels, side) {
  const ground = groundOf(pixels, side);
  const ink = [...pixels.keys()].filter((at) => Math.abs(pixels[at] - ground) > INK);
  if (!ink.length) return 0;
  const columns = ink.map((at) => at % side), rows = ink.map((at) => Math.floor(at / side));
  return (1 + Math.max(Math.max(...columns) - Math.min(...columns), Math.max(...rows) - Math.min(...rows))) / side;
}

/** The fewest pixels that the image can be shrunk to and enlarged again with. @param {HTMLImageElement} img @param {number} size */
function grainOf(img, size) {
  const whole = lightness(img, size);
  return GRAINS.filter((grain) => grain < size).find((grain) => {
    const small = square(grain);
    small.drawImage(img, 0, 0, grain, grain);
    const again = lightness(small.canvas, size);
    return whole.reduce((sum, value, at) => sum + Math.abs(value - again[at]), 0) / whole.length <= SAME;
  }) ?? size;
}

/** @param {HTMLImageElement[]} images @returns {Look} */
export function lookOf(images) {
  const side = median(images.map((img) => Math.max(img.naturalWidth, img.naturalHeight)));
  const isSmall = side <= LARGEST_SMALL;
  const size = isSmall ? side : USUAL.size;
  const pixels = images.map((img) => lightness(img, 64));
  const isDark = median(pixels.map((of) => groundOf(of, 64))) < DARK;
  if (!isSmall) return { isDark, size, fill: null, grain: size };
  return { isDark, size, fill: median(pixels.map((of) => fillOf(of, 64))), grain: median(images.map((img) => grainOf(img, size))) };
}

/** @returns {Promise<Look>} */
export async function datasetLook() {
  if (!isCanvasReadable()) return USUAL;
  try {
    const { items } = await getItems({ state: "all", limit: SAMPLE });
    const usable = items.filter(({ state }) => state !== "broken");
    const images = await Promise.all(usable.map(({ media }) => load(`${media}?width=256`)));
    const loaded = images.filter((img) => img !== null);
    return loaded.length ? lookOf(loaded) : USUAL;
  } catch {
    return USUAL;
  }
}
