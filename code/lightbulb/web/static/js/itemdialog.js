/** The dialog of the Dataset page: one item large, with its details and its label to set. */
import { uuid } from "./client.js";
import { byId, make, setText } from "./dom.js";
import { percent } from "./format.js";
import { classForKey } from "./keys.js";
import { outbox } from "./outbox.js";
import { fitImage, keepFitted, loadImage } from "./picture.js";
import { Stopwatch } from "./stopwatch.js";
import { classButtons } from "./task.js";
import { describe } from "./tiles.js";

/** @typedef {import("./api.js").ListedItem} ListedItem @typedef {import("./api.js").LabelClass} LabelClass */

export class ItemDialog {
  /** @type {ListedItem|null} */ item = null;

  /**
   * @param {LabelClass[]} classes
   * @param {{changed: (item: ListedItem) => void, step: (item: ListedItem, by: number) => ListedItem|null,
   *   closed: (item: ListedItem) => void}} page
   */
  constructor(classes, page) {
    this.classes = classes;
    this.page = page;
    this.dialog = byId("item-dialog");
    this.box = byId("dialog-picture");
    this.stopwatch = new Stopwatch();
    this.buttons = classButtons(classes, ({ name }) => this.#setLabel(name));
    byId("dialog-classes").replaceChildren(...this.buttons);
    keepFitted(this.box);
    byId("dialog-close").addEventListener("click", () => this.dialog.close());
    byId("dialog-previous").addEventListener("click", () => this.#step(-1));
    byId("dialog-next").addEventListener("click", () => this.#step(1));
    this.dialog.addEventListener("close", () => this.item && page.closed(this.item));
    this.dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
  }

  /** @param {ListedItem} item */
  async open(item) {
    this.item = item;
    this.stopwatch.restart();
    setText(byId("dialog-status"), "");
    this.box.replaceChildren();
    this.#render();
    if (!this.dialog.open) this.dialog.showModal();
    try {
      const img = await loadImage(item.media, item.name);
      if (this.item !== item) return;
      this.box.replaceChildren(img);
      fitImage(img, this.box);
    } catch (error) {
      if (this.item === item) this.box.replaceChildren(make("p", {}, item.reason ?? error.message));
    }
  }

  #render() {
    const item = /** @type {ListedItem} */ (this.item);
    const { main, more } = describe(item);
    setText(byId("dialog-name"), item.name);
    const rows = [["State", item.state], ["Label", item.label ? `${main} (${more})` : "none"],
      ["Proposed", item.proposal ? `${item.proposal.label}, ${percent(item.proposal.score)}` : null],
      ["Problem", item.reason], ["Item", String(item.item)]].filter(([, value]) => value);
    byId("dialog-details").replaceChildren(...rows.flatMap(([term, value]) =>
      [make("dt", {}, term), make("dd", {}, value)]));
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.class === item.label));
      button.disabled = item.state === "broken";
    }
    byId("dialog-previous").disabled = !this.page.step(item, -1);
    byId("dialog-next").disabled = !this.page.step(item, 1);
  }

  /** @param {number} by */
  #step(by) {
    const next = this.item && this.page.step(this.item, by);
    if (next) this.open(next);
  }

  /** @param {string} label */
  async #setLabel(label) {
    const item = this.item;
    if (!item || item.state === "broken") return;
    setText(byId("dialog-status"), "Saving…");
    const isSaved = await outbox.add({ item: item.item, label, seconds: this.stopwatch.read(), client_id: uuid(), name: item.name });
    if (isSaved) {
      Object.assign(item, { label, source: "human", state: "labelled", proposal: null });
      this.page.changed(item);
    }
    if (this.item !== item || !this.dialog.open) return;
    setText(byId("dialog-status"), isSaved ? `Saved as ${label}` : "Not saved");
    this.#render();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const chosen = classForKey(this.classes, event);
    if (chosen) this.#setLabel(chosen.name);
    else if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "ArrowRight") this.#step(1);
    else return;
    event.preventDefault();
  }
}
