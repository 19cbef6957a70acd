/** Drawing on a canvas with a thick round brush: strokes by pointer, undone one by one, and as an image. */
import { make } from "./dom.js";

/** @typedef {{brush: number, points: number[][]}} Stroke in fractions of the canvas */

const INKS = { light: ["#ffffff", "#000000"], dark: ["#000000", "#ffffff"] };

export class Drawing {
  /** @type {Stroke[]} */ strokes = [];
  /** @type {Stroke|null} */ current = null;
  #pointer = -1; // that draws the current stroke: a palm or a second finger draws nothing
  brush = 0.12; // fraction of the canvas
  isLightOnDark = false;

  /** @param {HTMLCanvasElement} canvas @param {(isDone: boolean) => void} changed isDone: no stroke is being drawn */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#end(/** @type {PointerEvent} */ (event)));
    this.paint();
  }

  get isEmpty() { return !this.strokes.length; }

  undo() {
    if (this.current || this.isEmpty) return;
    this.strokes.pop();
    this.paint();
    this.changed(true);
  }

  clear() {
    this.strokes = [];
    this.current = null;
    this.paint();
    this.changed(true);
  }

  /**
   * @param {CanvasRenderingContext2D} [context] @param {number} [size] pixels
   * @param {(point: number[]) => number[]} [place] where a point of a stroke goes
   */
  paint(context = /** @type {any} */ (this.canvas.getContext("2d")), size = this.canvas.width, place = (point) => point) {
    const [ink, ground] = INKS[this.isLightOnDark ? "light" : "dark"];
    context.fillStyle = ground;
    context.fillRect(0, 0, size, size);
    context.strokeStyle = ink;
    context.lineCap = context.lineJoin = "round";
    for (const { brush, points } of this.strokes) {
      context.lineWidth = brush * size;
      context.beginPath();
      const [first, ...rest] = points.map(place).map(([x, y]) => [x * size, y * size]);
      context.moveTo(first[0], first[1]);
      for (const [x, y] of rest.length ? rest : [first]) context.lineTo(x, y); // a tap is a dot
      context.stroke();
    }
  }

  /**
   * @param {{size: number, grain: number, fill: number|null}} look size: width and height in pixels; grain: how many
   *   of them it is drawn with before it is enlarged; fill: moved and scaled to take so much of the frame, null: as it is
   * @returns {Promise<Blob>} a PNG
   */
  async image({ size, grain, fill }) {
    const fine = make("canvas", { width: this.canvas.width, height: this.canvas.height });
    this.paint(fine.getContext("2d"), fine.width, fill === null ? undefined : this.#fitted(fill));
    const canvas = scaled(grain < size ? scaled(fine, grain) : fine, size);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  /** The brush stays as thick as it is. @param {number} fill */
  #fitted(fill) {
    const points = this.strokes.flatMap((stroke) => stroke.points);
    const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const side = Math.max(right - left, bottom - top);
    const brush = Math.max(...this.strokes.map((stroke) => stroke.brush));
    const zoom = side > brush ? Math.max(fill - brush, 0.1) / side : 1; // a dot stays a dot
    return ([x, y]) => [0.5 + zoom * (x - (left + right) / 2), 0.5 + zoom * (y - (top + bottom) / 2)];
  }

  /** @param {PointerEvent} event @returns {number[]} */
  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (event.button !== 0 || this.current) return;
    event.preventDefault(); // no text is selected meanwhile
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.current = { brush: this.brush, points: [this.#place(event)] };
    this.strokes.push(this.current);
    this.paint();
    this.changed(false);
  }

  /** @param {PointerEvent} event */
  #go(event) {
    if (!this.current || event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.current.points.push(...(events.length ? events : [event]).map((one) => this.#place(one)));
    this.paint();
    this.changed(false);
  }

  /** @param {PointerEvent} event */
  #end(event) {
    if (!this.current || event.pointerId !== this.#pointer) return;
    this.current = null;
    this.changed(true);
  }
}

/** By halves, so that every pixel counts. @param {HTMLCanvasElement} from @param {number} size @returns {HTMLCanvasElement} */
function scaled(from, size) {
  let canvas = from;
  while (canvas.width !== size) {
    const next = canvas.width > 2 * size ? Math.ceil(canvas.width / 2) : size;
    const smaller = make("canvas", { width: next, height: next });
    const context = smaller.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, 0, 0, next, next);
    canvas = smaller;
  }
  return canvas;
}
