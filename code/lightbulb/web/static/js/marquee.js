/** Selecting by a rectangle, drawn with the mouse over the grid; near the window's edge the page scrolls on. */
import { make } from "./dom.js";

const FAR = 6; // px that the mouse moves before a click becomes a drag
const EDGE = 48; // px from the window's edge where scrolling begins
const FASTEST = 28; // px a frame

export class Marquee {
  #start = { x: 0, y: 0 };
  #pointer = { x: 0, y: 0 };
  #frame = 0;
  #id = -1;
  isDrawn = false;

  /**
   * @param {HTMLElement} area where a drag may begin
   * @param {import("./virtualgrid.js").VirtualGrid} grid
   * @param {{begin: (event: PointerEvent) => void, drawn: (cells: number[]) => void, done: (cells: number[]) => void}} owner
   */
  constructor(area, grid, owner) {
    this.area = area;
    this.grid = grid;
    this.owner = owner;
    this.box = make("div", { class: "marquee", hidden: true });
    grid.root.parentElement?.append(this.box);
    area.addEventListener("pointerdown", (event) => this.#down(event));
    area.addEventListener("pointermove", (event) => this.#move(event));
    area.addEventListener("pointerup", (event) => this.#up(event));
    area.addEventListener("pointercancel", () => this.#stop());
    area.addEventListener("dragstart", (event) => event.preventDefault());
    // the click that ends a drag selects nothing by itself
    area.addEventListener("click", (event) => { if (this.isDrawn) { event.stopPropagation(); this.isDrawn = false; } }, true);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.isDrawn = false;
    if (event.button !== 0 || event.pointerType === "touch") return;
    if (event.target instanceof Element && event.target.closest("button, a, input, select")) return;
    this.#id = event.pointerId;
    this.#start = this.grid.pointAt(event.clientX, event.clientY);
    this.#pointer = { x: event.clientX, y: event.clientY };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerId !== this.#id) return;
    if (!event.buttons) { this.#stop(); return; } // let go of outside the area
    if (!this.isDrawn) {
      if (Math.hypot(event.clientX - this.#pointer.x, event.clientY - this.#pointer.y) < FAR) return;
      this.isDrawn = true;
      this.area.setPointerCapture(event.pointerId);
      getSelection()?.removeAllRanges();
      this.owner.begin(event);
      this.#frame = requestAnimationFrame(() => this.#tick());
    }
    this.#pointer = { x: event.clientX, y: event.clientY };
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerId !== this.#id) return;
    if (this.isDrawn) this.owner.done(this.grid.within(this.#rectangle()));
    this.#stop();
  }

  #stop() {
    this.#id = -1;
    cancelAnimationFrame(this.#frame);
    this.box.hidden = true;
  }

  #tick() {
    const { y } = this.#pointer;
    const past = y < EDGE ? y - EDGE : y > innerHeight - EDGE ? y - (innerHeight - EDGE) : 0;
    if (past) {
      scrollBy(0, Math.sign(past) * Math.min(FASTEST, Math.abs(past) * 0.6));
      this.grid.render();
      this.#draw();
    }
    this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #rectangle() {
    const here = this.grid.pointAt(this.#pointer.x, this.#pointer.y);
    const [left, top] = [Math.min(here.x, this.#start.x), Math.min(here.y, this.#start.y)];
    return new DOMRect(left, top, Math.abs(here.x - this.#start.x), Math.abs(here.y - this.#start.y));
  }

  #draw() {
    const area = this.#rectangle();
    const top = Math.max(0, this.grid.toElement(area.top));
    this.box.hidden = false;
    this.box.style.transform = `translate(${area.left}px, ${top}px)`;
    this.box.style.width = `${area.width}px`;
    this.box.style.height = `${Math.max(0, this.grid.toElement(area.bottom) - top)}px`;
    this.owner.drawn(this.grid.within(area));
  }
}
