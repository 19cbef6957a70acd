/**
 * A colour for each class, the same on every page, as long as the classes keep their order.
 *
 * The first eight are Okabe and Ito's (2008), told apart with any colour vision, moved as little as it takes
 * to stand out 3:1 from the page in light and in dark (css/base.css). Beyond them no palette is safe: hues a
 * golden angle apart, in turn darker and lighter, and another shape of the dot for each eight. A colour is
 * only ever a second cue: the name stands beside it.
 */

const PALETTE = 8;
const GOLDEN_ANGLE = 137.508; // degrees: neighbours stay apart however many classes there are
const SHAPES = ["round", "square", "diamond", "ring"];

/** @param {number} index of the class in config order @returns {string} a CSS colour that follows light and dark */
export function classColour(index) {
  if (index < PALETTE) return `var(--class-${index})`;
  const hue = (index * GOLDEN_ANGLE) % 360;
  return `oklch(var(--class-lightness-${index % 2}) 0.13 ${hue.toFixed(1)})`;
}

/** @param {number} index of the class in config order */
export const classShape = (index) => SHAPES[Math.floor(index / PALETTE) % SHAPES.length];
