/** What can be done with the selected items, each as one step to undo. */
import { uuid } from "./client.js";
import { postFlags, postRemove, postTogether } from "./datasetapi.js";
import { byId } from "./dom.js";
import { plural } from "./format.js";
import { pollNow } from "./status.js";
import { classButtons } from "./task.js";
import { toast } from "./toast.js";

/** @typedef {import("./api.js").LabelClass} LabelClass */

const DOUBLE_CLICK_MS = 600;
/** @type {Record<string, string>} */
const NOTHING_TO_DO = {
  no_labels: "None of these has a label.",
  nothing_to_skip: "Nothing skipped: all of these are labelled, and keep their labels.",
};

export class BulkBar {
  /** @type {Set<number>} items of what is being saved or waits for that */ #busy = new Set();
  /** @type {Promise<any>} settles when all of it is saved and shown */ #last = Promise.resolve();
  #closeToast = () => {};
  #shownAt = 0; // ms
  /** What was tried last: sent again it keeps its name, so that it cannot be saved twice. */
  #tried = { key: "", id: "" };

  /**
   * @param {LabelClass[]} classes
   * @param {{chosen: () => number[], done: (items: number[]) => Promise<any>, undo: () => void, flag: (items: number[]) => void, open: () => void, again: () => void, like: (item: number) => void, clear: () => void}} page
   */
  constructor(classes, page) {
    this.page = page;
    this.bar = byId("bulk");
    this.bar.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#refuseDouble(event), true);
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
    if (this.bar.hidden && count) this.#shownAt = performance.now();
    this.bar.hidden = count === 0;
    document.body.classList.toggle("has-selection", count > 0);
    byId("bulk-open").hidden = byId("bulk-like").hidden = count !== 1;
  }

  /** The second half of a double click on a tile, over which the first half brought the bar. @param {MouseEvent} event */
  #refuseDouble(event) {
    if (event.detail < 2 || event.timeStamp - this.#shownAt > DOUBLE_CLICK_MS) return; // a busy page hears of it late
    event.stopPropagation();
    this.page.again();
  }

  /** @param {string} name of a class @param {number[]} [items] */
  label(name, items = this.page.chosen()) { return this.together(items.map((item) => ({ item, label: name })), `Labelled ${plural(items.length, "item")} as ${name}`); }

  skip() {
    const items = this.page.chosen();
    const skips = items.map((item) => ({ item, label: null }));
    return this.#queue(skips, (id) => postTogether(skips, id), ({ saved, kept }) => `Skipped ${plural(saved - kept, "item")}: asked again later.`
      + (kept ? ` ${kept} ${kept === 1 ? "is labelled and keeps its label" : "are labelled and keep their labels"}.` : ""));
  }

  /** @param {{item: number, label: string|null}[]} labels @param {string} said @returns {Promise<boolean>} */
  together(labels, said) { return this.#queue(labels, (id) => postTogether(labels, id), () => said); }

  /** @param {number[]} [items] */
  remove(items = this.page.chosen()) {
    return this.#queue(items, (id) => postRemove(items, id), ({ removed }) => `Removed ${plural(removed, "label")}`);
  }

  /** @param {number[]} items @param {string} note @param {boolean} isOn */
  flag(items, note, isOn) {
    return this.#queue(items, () => postFlags(items, note, isOn),
      ({ changed }) => `${isOn ? "Flagged" : "Took the flag off"} ${plural(changed, "item")}`, false);
  }

  /**
   * One after the other. What is pressed twice, or corrected before it is shown, must not land on whatever moves up.
   * @param {({item: number}|number)[]} what @param {(id: string) => Promise<any>} send @param {(answer: any) => string} say
   * @param {boolean} [canUndo] @returns {Promise<boolean>} whether it was saved
   */
  async #queue(what, send, say, canUndo = true) {
    const items = what.map((each) => (typeof each === "number" ? each : each.item));
    if (!items.length) return false;
    if (items.some((item) => this.#busy.has(item))) { toast("Still saving the change before: press again in a moment."); return false; }
    for (const item of items) this.#busy.add(item);
    const mine = this.#last.then(() => this.#do(JSON.stringify(what), items, send, say, canUndo));
    this.#last = mine;
    const isSaved = await mine;
    for (const item of items) this.#busy.delete(item);
    return isSaved;
  }

  /** @param {string} key what it is, for sending it again @param {number[]} items @param {(id: string) => Promise<any>} send
   * @param {(answer: any) => string} say @param {boolean} canUndo */
  async #do(key, items, send, say, canUndo) {
    if (key !== this.#tried.key) this.#tried = { key, id: uuid() };
    this.#closeToast();
    try {
      const answer = await send(this.#tried.id);
      this.#tried = { key: "", id: "" };
      this.#closeToast = toast(say(answer), { action: canUndo ? { text: "Undo", run: this.page.undo } : null });
      pollNow();
      await this.page.done(items);
      return true;
    } catch (error) {
      const isInfo = error.code in NOTHING_TO_DO;
      this.#closeToast = toast(isInfo ? NOTHING_TO_DO[error.code] : `Not saved: ${error.message} Your selection is kept.`,
        { level: isInfo ? "info" : "error", ...(isInfo && { ms: 5000 }) });
      return false;
    }
  }

  /** Resolves when nothing is on its way any more. */
  settled() { return this.#last; }

  /** The last message no longer holds. */
  forget() { this.#closeToast(); }
}
