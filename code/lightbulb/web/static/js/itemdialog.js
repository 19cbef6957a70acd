/** The dialog of the Dataset page: one item large, its label and flag to set, and its history. */
import { uuid } from "./client.js";
import { getItem, postFlags, postRemove } from "./datasetapi.js";
import { byId, make, setText } from "./dom.js";
import { percent } from "./format.js";
import { historyLines } from "./itemhistory.js";
import { classForKey } from "./keys.js";
import { outbox } from "./outbox.js";
import { fitImage, keepFitted, loadImage } from "./picture.js";
import { pollNow } from "./status.js";
import { Stopwatch } from "./stopwatch.js";
import { classButtons } from "./task.js";
import { describe } from "./tiles.js";

/** @typedef {import("./api.js").ListedItem} ListedItem @typedef {import("./api.js").LabelClass} LabelClass */

export class ItemDialog {
  /** @type {ListedItem|null} */ item = null;
  #isStepping = false;

  /**
   * @param {LabelClass[]} classes
   * @param {{changed: (item: ListedItem, said: string) => void, step: (by: number) => Promise<ListedItem|undefined>,
   *   canStep: (by: number) => boolean, closed: (item: ListedItem) => void, like: (item: ListedItem) => void}} page
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
    byId("dialog-like").addEventListener("click", () => { const { item } = this; this.dialog.close(); if (item) page.like(item); });
    byId("dialog-remove").addEventListener("click", () => this.#change("Label removed", (item) => postRemove([item], uuid())));
    byId("dialog-unflag").addEventListener("click", () => this.#change("Flag taken off", (item) => postFlags([item], "", false)));
    byId("dialog-flag").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#change("Flagged", (item) => postFlags([item], byId("dialog-note").value.trim(), true));
    });
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
    byId("dialog-history").replaceChildren();
    byId("dialog-note").value = item.flag?.note ?? "";
    this.#render();
    if (!this.dialog.open) this.dialog.showModal();
    this.refresh();
    try {
      const img = await loadImage(`${item.media}?width=2048`, item.name);
      if (this.item !== item) return;
      this.box.replaceChildren(img);
      fitImage(img, this.box);
    } catch (error) {
      if (this.item === item) this.box.replaceChildren(make("p", {}, item.reason ?? error.message));
    }
  }

  /** Asks the server what the item is like now. */
  async refresh() {
    const item = this.item;
    if (!item) return;
    try {
      const now = await getItem(item.item);
      if (this.item !== item) return;
      const { history, refusals, flags, similarity, ...row } = now;
      Object.assign(item, row);
      byId("dialog-history").replaceChildren(...historyLines(now));
      byId("dialog-no-history").hidden = byId("dialog-history").children.length > 0;
      this.#render();
    } catch (error) {
      if (this.item === item) setText(byId("dialog-status"), `No history: ${error.message}`);
    }
  }

  #render() {
    const item = /** @type {ListedItem} */ (this.item);
    const { main, more } = describe(item);
    setText(byId("dialog-name"), item.name);
    byId("dialog-name").title = item.name;
    const rows = [["State", item.state], ["Label", item.label ? `${main} (${more})` : "none"],
      ["Model", item.guess ? `${item.guess.label}, ${percent(item.guess.score)}` : null],
      ["Flag", item.flag ? item.flag.note || "flagged" : null],
      ["Problem", item.reason], ["Item", String(item.item)]].filter(([, value]) => value);
    byId("dialog-details").replaceChildren(...rows.flatMap(([term, value]) =>
      [make("dt", {}, term), make("dd", {}, value)]));
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.class === item.label));
      button.disabled = item.state === "broken";
    }
    byId("dialog-previous").disabled = !this.page.canStep(-1);
    byId("dialog-next").disabled = !this.page.canStep(1);
    byId("dialog-remove").disabled = !item.label;
    byId("dialog-like").disabled = item.state === "broken";
    byId("dialog-unflag").hidden = !item.flag;
    setText(byId("dialog-flag-text"), item.flag ? "Save note" : "Flag");
  }

  /** @param {number} by */
  async #step(by) {
    if (this.#isStepping || !this.page.canStep(by)) return;
    this.#isStepping = true;
    const next = await this.page.step(by);
    this.#isStepping = false;
    if (next && this.dialog.open) this.open(next);
  }

  /** @param {string} label */
  async #setLabel(label) {
    const item = this.item;
    if (!item || item.state === "broken") return;
    setText(byId("dialog-status"), "Saving…");
    const row = { item: item.item, label, seconds: this.stopwatch.read(), client_id: uuid(), name: item.name };
    const isSaved = await outbox.add(row);
    if (isSaved) await this.#changed(item, `Labelled as ${label}`);
    if (this.item === item) setText(byId("dialog-status"), isSaved ? `Saved as ${label}` : "Not saved");
  }

  /** @param {string} said @param {(item: number) => Promise<any>} send */
  async #change(said, send) {
    const item = this.item;
    if (!item) return;
    try {
      await send(item.item);
      pollNow();
      await this.#changed(item, said);
      if (this.item === item) setText(byId("dialog-status"), said);
    } catch (error) {
      if (this.item === item) setText(byId("dialog-status"), `Not saved: ${error.message}`);
    }
  }

  /** @param {ListedItem} item @param {string} said */
  async #changed(item, said) {
    if (this.item === item) await this.refresh();
    this.page.changed(item, said);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) return;
    const chosen = classForKey(this.classes, event);
    if (chosen) this.#setLabel(chosen.name);
    else if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "ArrowRight") this.#step(1);
    else if (event.key === "f") byId("dialog-note").focus();
    else return;
    event.preventDefault();
  }
}
