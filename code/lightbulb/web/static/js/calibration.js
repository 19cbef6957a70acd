/** The reliability diagram: how often the model is right where it says it is so sure. */
import { byId, make, setText } from "./dom.js";
import { percent } from "./format.js";
import { axes, onWidth, shape, table, ticks } from "./svg.js";

/**
 * @typedef {{low: number, high: number, n: number, confidence: number|null, right: number|null,
 *   right_low: number|null, right_high: number|null}} Bin
 * @typedef {{n: number, error: number|null, bins: Bin[]}} Calibration
 */

const HEIGHT = 300;
const WIDEST = 560;
const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

/** @type {Calibration|null} */ let shown = null;
let isWatched = false;

/** @param {Bin} bin */
const span = ({ low, high }) => `${percent(low, 0).replace(" %", "")}–${percent(high, 0)}`;

function draw() {
  const box = byId("calibration");
  const width = Math.min(box.clientWidth, WIDEST);
  const full = shown?.bins.filter(({ n }) => n) ?? [];
  if (!full.length || !width) { box.replaceChildren(); return; }
  const { svg, toX, toY } = axes({
    name: "calibration", title: "Share right against confidence", width, height: HEIGHT,
    description: `${full.map((bin) => `Where it is ${span(bin)} sure, ${percent(Number(bin.right), 0)} of ${bin.n} are right.`).join(" ")} The diagonal is perfect calibration.`,
    x: { domain: [0, 1], label: "confidence of the model", ticks: width > 420 ? ticks(0, 1, 10) : QUARTERS, format: (value) => percent(value, 0) },
    y: { domain: [0, 1], label: "share right", ticks: QUARTERS, format: (value) => percent(value, 0) },
  });
  for (const bin of full) {
    const middle = toX((bin.low + bin.high) / 2);
    const right = Number(bin.right);
    const top = toY(right);
    svg.append(shape("rect", { class: "bin", x: toX(bin.low) + 1.5, width: toX(bin.high) - toX(bin.low) - 3, y: top, height: toY(0) - top },
      shape("title", {}, `${span(bin)} sure: ${percent(right)} of ${bin.n} right`)));
    svg.append(shape("line", { class: "whisker", x1: middle, x2: middle, y1: toY(Number(bin.right_low)), y2: toY(Number(bin.right_high)) }),
      shape("circle", { class: "bin-mean", cx: toX(Number(bin.confidence)), cy: top, r: 3.5 }),
      shape("text", { class: "tick-text bin-n", x: toX(bin.low) + 4, y: toY(0) - 6 }, String(bin.n)));
  }
  svg.append(shape("line", { class: "diagonal", x1: toX(0), y1: toY(0), x2: toX(1), y2: toY(1) }));
  box.replaceChildren(svg);
}

/** @param {Calibration|null} calibration null: the model is of an earlier release */
export function showCalibration(calibration) {
  shown = calibration;
  if (!isWatched) onWidth(byId("calibration"), draw);
  isWatched = true;
  setText(byId("calibration-note"), !calibration ? "Not known: this model was made by an earlier release, which did not keep what it takes."
    : !calibration.n ? "Nothing is measured yet: no held-out item is labelled."
    : `Expected calibration error ${percent(Number(calibration.error))}, n = ${calibration.n} held-out items. The model never learnt from these; the one number that calibrates it was fitted with them. Bars: share right, with its 95% interval and n; dots: mean confidence.`);
  const details = byId("calibration-table");
  details.hidden = !calibration?.n;
  details.querySelector(".scroll")?.remove();
  if (calibration?.n) {
    const rows = calibration.bins.filter(({ n }) => n).map((bin) => [span(bin), String(bin.n), percent(Number(bin.confidence)), percent(Number(bin.right)),
      `${percent(Number(bin.right_low), 0).replace(" %", "")}–${percent(Number(bin.right_high), 0)}`]);
    details.append(make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Calibration as a table" },
      table("Share right by confidence", ["Confidence", "n", "Mean confidence", "Right", "95% interval"], rows)));
  }
  draw();
}
