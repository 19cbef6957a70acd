/** Numbers as people read them. */

/** @param {number} share 0..1 @param {number} digits */
export const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)} %`;

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** @param {number|null|undefined} seconds */
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 10) return `${seconds.toFixed(1)} s ago`;
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

/** @param {number} minutes that are left */
export function minutesText(minutes) {
  if (minutes < 1) return "< 1 min left";
  return minutes < 90 ? `${Math.round(minutes)} min left` : `${(minutes / 60).toFixed(minutes < 600 ? 1 : 0)} h left`;
}

/** @param {{value: number, low: number, high: number}|null} accuracy e.g. `93.4 % ± 3.1` */
export function accuracyText(accuracy) {
  if (!accuracy) return "–";
  const half = ((accuracy.high - accuracy.low) / 2) * 100;
  return `${percent(accuracy.value)} ± ${half.toFixed(1)}`;
}

/** @param {{low: number, high: number}} interval e.g. `88–97 %` */
export const intervalText = ({ low, high }) => `${Math.round(low * 100)}–${Math.round(high * 100)} %`;
