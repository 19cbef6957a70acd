/** What can be done with the selected items, each as one step to undo. */
import { uuid } from "./client.js";
import { postFlags, postRemove, postTogether } from "./datasetapi.js";
import { byId } from "./dom.js";
import { plural } from "./format.js";
import { pollNow } from "./status.js";
import { classButtons } from "./task.js";
import { toast } from "./toast.js";

/** @typedef {import("./api.js").LabelClass} LabelClass */

export class BulkBar {
  #isBusy = false;
  #closeToast = () => {};
  /** What was tried last: sent again it keeps its name, so that it cannot be saved twice. */
  #tried = { key: "", id: "" };

  /**
   * @param {LabelClass[]} classes
   * @param {{chosen: () => number[], done: () => void, undo: () => void, flag: (items: number[]) => void, open: () => void, like: (item: number) => void, clear: () => void}} page
   */
  constructor(classes, page) {
    this.page = page;
    this.bar = byId("bulk");
    byId("bulk-classes").replaceChildren(...classButtons(classes, ({ name }) => this.label(name)));
    byId("bulk-skip").addEventListener("click", () => this.skip());
    byId("bulk-remove").addEventListener("click", () => this.remove());
    byId("bulk-flag").addEventListener("click", () => page.flag(page.chosen()));
    byId("bulk-open").addEventListener("click", page.open);
    byId("bulk-like").addEventListener("click", () => page.like(page.chosen()[0]));
    byId("bulk-clear").addEventListener("click", page.clear);
  }

  /** @param {number} count of selected items */
  show(count) {
    this.bar.hidden = count === 0;
    document.body.classList.toggle("has-selection", count > 0);
    byId("bulk-open").hidden = byId("bulk-like").hidden = count !== 1;
  }

  /** @param {string} name of a class @param {number[]} [items] */
  label(name, items = this.page.chosen()) { return this.together(items.map((item) => ({ item, label: name })), `Labelled ${plural(items.length, "item")} as ${name}`); }

  skip() {
    const items = this.page.chosen();
    return this.together(items.map((item) => ({ item, label: null })), `Skipped ${plural(items.length, "item")}: asked again later`);
  }

  /** @param {{item: number, label: string|null}[]} labels @param {string} said @returns {Promise<boolean>} */
  together(labels, said) { return this.#do(labels, (id) => postTogether(labels, id), () => said); }

  /** @param {number[]} [items] */
  remove(items = this.page.chosen()) {
    return this.#do(items, (id) => postRemove(items, id), ({ removed }) => `Removed ${plural(removed, "label")}`);
  }

  /** @param {number[]} items @param {string} note @param {boolean} isOn */
  flag(items, note, isOn) {
    return this.#do(items, () => postFlags(items, note, isOn),
      ({ changed }) => `${isOn ? "Flagged" : "Took the flag off"} ${plural(changed, "item")}`, false);
  }

  /** @param {object[]|number[]} what @param {(id: string) => Promise<any>} send @param {(answer: any) => string} say @param {boolean} [canUndo] */
  async #do(what, send, say, canUndo = true) {
    if (!what.length || this.#isBusy) return false;
    this.#isBusy = true;
    const key = JSON.stringify(what);
    if (key !== this.#tried.key) this.#tried = { key, id: uuid() };
    this.#closeToast();
    try {
      const answer = await send(this.#tried.id);
      this.#tried = { key: "", id: "" };
      this.#closeToast = toast(say(answer), { action: canUndo ? { text: "Undo", run: this.page.undo } : null });
      pollNow();
      this.page.done();
      return true;
    } catch (error) {
      this.#closeToast = toast(error.code === "no_labels" ? "None of these has a label."
        : `Not saved: ${error.message} Your selection is kept.`, { level: error.code === "no_labels" ? "info" : "error" });
      return false;
    } finally {
      this.#isBusy = false;
    }
  }

  /** The last message no longer holds. */
  forget() { this.#closeToast(); }
}
