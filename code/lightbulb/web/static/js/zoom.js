/**
 * Looking closer at the picture of a box: the wheel or a pinch zooms about the pointer, dragging moves it, a
 * double click zooms in and out again; for the keyboard `by`, `pan` and `reset`.
 */

const MOST = 16;
const DOUBLE_CLICK = 3; // times
const WHEEL_SPEED = 0.002; // per pixel of the wheel
const KEY_STEP = 60; // px that one key press moves the picture

/** @typedef {{x: number, y: number}} Point */

/** @param {Point} a @param {Point} b */
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/** A button that lies on the picture keeps its clicks. @param {Event} event */
const isControl = (event) => event.target instanceof Element && event.target.closest("button, a") !== null;

export class Zoom {
  /** @type {HTMLImageElement|null} */ #img = null;
  /** @type {Map<number, Point>} fingers, or the mouse with its button down */ #pointers = new Map();
  scale = 1;
  #x = 0; // px that the picture's centre is off the box's
  #y = 0;

  /** @param {HTMLElement} box @param {(scale: number) => void} changed */
  constructor(box, changed) {
    this.box = box;
    this.changed = changed;
    box.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    box.addEventListener("dblclick", (event) => {
      if (!isControl(event)) this.#to(this.scale > 1 ? 1 : DOUBLE_CLICK, this.#place(event));
    });
    box.addEventListener("pointerdown", (event) => this.#onDown(event));
    box.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const name of ["pointerup", "pointercancel"]) {
      box.addEventListener(name, (event) => this.#pointers.delete(/** @type {PointerEvent} */ (event).pointerId));
    }
  }

  /** Look at this picture, all of it. @param {HTMLImageElement|null} img */
  attach(img) {
    this.#img = img;
    this.reset();
  }

  /** The same picture in another resolution. @param {HTMLImageElement} img */
  replace(img) {
    this.#img = img;
    this.#render();
  }

  reset() {
    this.scale = 1;
    this.#render();
  }

  /** Zoom about the middle. @param {number} factor */
  by(factor) { this.#to(this.scale * factor, { x: 0, y: 0 }); }

  /** Look further to the right and down. @param {number} right steps @param {number} down steps */
  pan(right, down) {
    this.#x -= right * KEY_STEP;
    this.#y -= down * KEY_STEP;
    this.#render();
  }

  /** @param {number} scale @param {Point} about a place that stays where it is, from the box's centre */
  #to(scale, about) {
    const next = Math.min(MOST, Math.max(1, scale));
    if (!this.#img || next === this.scale) return;
    this.#x = about.x - ((about.x - this.#x) * next) / this.scale;
    this.#y = about.y - ((about.y - this.#y) * next) / this.scale;
    this.scale = next;
    this.#render();
  }

  #render() {
    const img = this.#img;
    if (!img) return;
    this.box.classList.toggle("zoomed", this.scale > 1);
    if (this.scale === 1) {
      this.#x = this.#y = 0;
      img.style.transform = ""; // measures nothing: each new picture comes by here, and must be painted soon
    } else this.#move(img);
    this.changed(this.scale);
  }

  /** @param {HTMLImageElement} img */
  #move(img) {
    const reach = (/** @type {number} */ size, /** @type {number} */ room) => Math.max(0, (size * this.scale - room) / 2);
    const [right, down] = [reach(img.offsetWidth, this.box.clientWidth), reach(img.offsetHeight, this.box.clientHeight)];
    this.#x = Math.min(right, Math.max(-right, this.#x));
    this.#y = Math.min(down, Math.max(-down, this.#y));
    img.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.scale})`;
  }

  /** @param {MouseEvent} event @returns {Point} from the box's centre */
  #place(event) {
    const { left, top, width, height } = this.box.getBoundingClientRect();
    return { x: event.clientX - left - width / 2, y: event.clientY - top - height / 2 };
  }

  /** @param {WheelEvent} event */
  #onWheel(event) {
    if (!this.#img) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1) * (event.ctrlKey ? 4 : 1);
    this.#to(this.scale * Math.exp(-pixels * WHEEL_SPEED), this.#place(event));
  }

  /** @param {PointerEvent} event */
  #onDown(event) {
    if (!this.#img || event.button !== 0 || isControl(event)) return;
    this.#pointers.set(event.pointerId, this.#place(event));
    if (this.scale > 1) this.box.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    if (!event.buttons) { this.#pointers.delete(event.pointerId); return; } // let go of outside the box
    const now = this.#place(event);
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.#pointers.set(event.pointerId, now);
    if (other) {
      this.#to((this.scale * distance(now, other)) / Math.max(1, distance(before, other)), other);
    } else if (this.scale > 1) {
      this.#x += now.x - before.x;
      this.#y += now.y - before.y;
      this.#render();
    }
  }
}
