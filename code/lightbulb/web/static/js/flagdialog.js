/** The small dialog that flags an item with a note. */
import { uuid } from "./client.js";
import { byId, setText } from "./dom.js";
import { outbox } from "./outbox.js";

/** @typedef {import("./api.js").Question} Question */

export class FlagDialog {
  /** @type {Question|null} */ #question = null;

  /** @param {(question: Question) => void} changed the question's flag is another one now */
  constructor(changed) {
    this.changed = changed;
    this.dialog = byId("flag-dialog");
    this.note = byId("flag-text");
    byId("flag-form").addEventListener("submit", () => this.#put({ note: this.note.value.trim() }));
    byId("flag-remove").addEventListener("click", () => { this.#put(null); this.dialog.close(); });
    byId("flag-cancel").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.note.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return; // shift: a new line
      event.preventDefault();
      byId("flag-form").requestSubmit();
    });
  }

  /** @param {Question} question */
  open(question) {
    this.#question = question;
    setText(byId("flag-name"), question.name);
    this.note.value = question.flag?.note ?? "";
    byId("flag-remove").hidden = !question.flag;
    this.dialog.showModal();
    this.note.focus();
    this.note.select();
  }

  /** @param {import("./api.js").Flag|null} flag null takes it off */
  #put(flag) {
    const question = this.#question;
    if (!question) return;
    question.flag = flag;
    outbox.add({ kind: "flag", item: question.item, name: question.name, client_id: uuid(), note: flag?.note ?? "", flagged: Boolean(flag) });
    this.changed(question);
  }
}
