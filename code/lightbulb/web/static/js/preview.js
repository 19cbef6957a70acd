/** One item of the batch, as large as the window allows; keys and buttons act on it as they do on its tile. */
import { byId, make, setText } from "./dom.js";
import { percent } from "./format.js";
import { fitImage, keepFitted, loadImage } from "./picture.js";

const LARGEST = 2048; // pixels: no screen shows many more, and a photograph may have 50 million

/** @typedef {import("./batchgrid.js").Cell} Cell @typedef {import("./batchgrid.js").BatchGrid} BatchGrid */

export class Preview {
  /** @type {Cell|null} */ cell = null;

  /** @param {BatchGrid} grid @param {() => string} label what the batch is proposed as */
  constructor(grid, label) {
    this.grid = grid;
    this.label = label;
    this.dialog = byId("preview");
    this.box = byId("preview-picture");
    keepFitted(this.box);
    byId("preview-close").addEventListener("click", () => this.close());
    byId("preview-toggle").addEventListener("click", () => this.#toggle());
    byId("preview-previous").addEventListener("click", () => this.#step(-1));
    byId("preview-next").addEventListener("click", () => this.#step(1));
    this.dialog.addEventListener("close", () => this.#closed());
    this.dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => { if (event.target === this.dialog) this.close(); });
    this.dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
  }

  get isOpen() { return this.dialog.open; }

  close() { this.dialog.close(); }

  /** @param {Cell} cell */
  async open(cell) {
    this.cell = cell;
    this.render();
    // the thumbnail at once, the whole picture as soon as it is there
    const small = make("img", { alt: "", src: cell.img.src });
    this.box.replaceChildren(small);
    if (!this.dialog.open) this.dialog.showModal();
    if (cell.img.complete) small.decode().then(() => fitImage(small, this.box), () => {});
    try {
      const img = await loadImage(`${cell.item.media}?width=${LARGEST}`, cell.item.name);
      if (this.cell !== cell) return;
      this.box.replaceChildren(img);
      fitImage(img, this.box);
    } catch (error) {
      if (this.cell === cell) this.box.replaceChildren(make("p", {}, error.message));
    }
  }

  /** What the tile says, in words. */
  render() {
    if (!this.cell) return;
    const { item, isTicked, label } = this.cell;
    const index = this.grid.cells.indexOf(this.cell);
    this.grid.active = this.cell; // a class key means this one
    setText(byId("preview-name"), item.name);
    byId("preview-name").title = item.name;
    setText(byId("preview-place"), `${index + 1} of ${this.grid.cells.length}, ${percent(item.score)} sure`);
    setText(byId("preview-state"), isTicked ? `Selected as ${this.label()}` : label ? `Relabelled ${label}` : "Set aside");
    byId("preview-toggle").setAttribute("aria-pressed", String(isTicked));
    byId("preview-previous").disabled = index <= 0;
    byId("preview-next").disabled = index >= this.grid.cells.length - 1;
  }

  #toggle() { if (this.cell) this.grid.toggle(this.cell); }

  /** @param {number} by */
  #step(by) {
    const next = this.cell && this.grid.cells[this.grid.cells.indexOf(this.cell) + by];
    if (next) this.open(next);
  }

  #closed() {
    this.box.replaceChildren();
    const { cell } = this;
    this.cell = null;
    if (cell?.element.isConnected) cell.element.focus();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isButton = event.target instanceof HTMLButtonElement;
    if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "ArrowRight") this.#step(1);
    else if (event.key === " " && !isButton && !event.repeat) this.#toggle();
    else if (event.key === "Enter" && !isButton) this.close();
    else return;
    event.preventDefault();
  }
}
