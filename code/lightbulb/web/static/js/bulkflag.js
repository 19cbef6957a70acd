/** Asks for the note of a flag on one or many items. */
import { byId, setText } from "./dom.js";
import { plural } from "./format.js";

export class BulkFlag {
  /** @type {number[]} */ #items = [];

  /** @param {(items: number[], note: string, isOn: boolean) => void} save */
  constructor(save) {
    this.dialog = byId("flag-dialog");
    byId("flag-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.dialog.close();
      save(this.#items, byId("flag-note").value.trim(), true);
    });
    byId("flag-off").addEventListener("click", () => { this.dialog.close(); save(this.#items, "", false); });
    byId("flag-cancel").addEventListener("click", () => this.dialog.close());
  }

  /** @param {number[]} items */
  ask(items) {
    this.#items = items;
    setText(byId("flag-title"), `Flag ${plural(items.length, "item")}`);
    byId("flag-note").value = "";
    this.dialog.showModal();
    byId("flag-note").focus();
  }
}
