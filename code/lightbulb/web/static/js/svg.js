/** Plots as SVG made for the page: elements, scales, axes. Colours and fonts are the style sheet's. */
import { make } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const STEPS = [1, 2, 2.5, 5, 10];
export const MARGIN = { top: 10, right: 26, bottom: 40, left: 46 }; // pixels

/**
 * @param {string} tag @param {Record<string, string|number>} [attributes] @param {...(Node|string)} children
 * @returns {any}
 */
export function shape(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** @param {number[]} domain @param {number[]} range pixels @returns {(value: number) => number} */
export const scale = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

/** Round numbers from low to high, about `count` of them. @param {number} low @param {number} high @param {number} count */
export function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((one) => one * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/** @param {number[][]} points pixels */
export const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/**
 * An empty plot with its axes, read out as its title and description.
 * @param {{name: string, title: string, description: string, width: number, height: number,
 *   x: {domain: number[], label: string, ticks: number[], format: (value: number) => string},
 *   y: {domain: number[], label: string, ticks: number[], format: (value: number) => string}}} options
 */
export function axes({ name, title, description, width, height, x, y }) {
  const toX = scale(x.domain, [MARGIN.left, width - MARGIN.right]);
  const toY = scale(y.domain, [height - MARGIN.bottom, MARGIN.top]);
  const bottom = height - MARGIN.bottom;
  const svg = shape("svg", { role: "img", width, height, viewBox: `0 0 ${width} ${height}`, "aria-labelledby": `${name}-name ${name}-text` },
    shape("title", { id: `${name}-name` }, title), shape("desc", { id: `${name}-text` }, description));
  for (const value of y.ticks) {
    svg.append(shape("line", { class: "grid-line", x1: MARGIN.left, x2: width - MARGIN.right, y1: toY(value), y2: toY(value) }),
      shape("text", { class: "tick-text", x: MARGIN.left - 7, y: toY(value), "text-anchor": "end", "dominant-baseline": "central" }, y.format(value)));
  }
  svg.append(shape("line", { class: "axis-line", x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom }));
  for (const value of x.ticks) {
    svg.append(shape("line", { class: "axis-line", x1: toX(value), x2: toX(value), y1: bottom, y2: bottom + 4 }),
      shape("text", { class: "tick-text", x: toX(value), y: bottom + 16, "text-anchor": "middle" }, x.format(value)));
  }
  svg.append(shape("text", { class: "axis-text", x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, x.label),
    shape("text", { class: "axis-text", x: 0, y: height - 4 }, y.label));
  return { svg, toX, toY };
}

/** Draw now and whenever the box has another width. @param {HTMLElement} box @param {(width: number) => void} draw */
export function onWidth(box, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (!box.clientWidth || box.clientWidth === width) return;
    width = box.clientWidth;
    draw(width);
  }).observe(box);
}

/**
 * @param {string} caption @param {string[]} headings @param {(string|Node|null)[][]} rows the first column heads its row
 * @returns {HTMLTableElement}
 */
export function table(caption, headings, rows) {
  return make("table", { class: "data" }, make("caption", { class: "sr-only" }, caption),
    make("thead", {}, make("tr", {}, ...headings.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map(([first, ...others]) => make("tr", {}, make("th", { scope: "row", "data-label": headings[0] }, first),
      ...others.map((cell, index) => make("td", { "data-label": headings[index + 1] }, cell))))));
}
