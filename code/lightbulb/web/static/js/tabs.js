/** Tabs as WAI-ARIA describes them: arrow keys, Home and End choose. */
import { byId } from "./dom.js";

export class Tabs {
  /** @param {string[]} names of the elements #tab-NAME and #panel-NAME @param {(name: string) => void} changed */
  constructor(names, changed) {
    this.names = names;
    this.changed = changed;
    this.chosen = names[0];
    for (const name of names) {
      const tab = byId(`tab-${name}`);
      tab.addEventListener("click", () => this.choose(name));
      tab.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
    }
  }

  /** @param {string} chosen */
  choose(chosen) {
    if (chosen === this.chosen) return;
    this.chosen = chosen;
    for (const name of this.names) {
      const tab = byId(`tab-${name}`);
      tab.setAttribute("aria-selected", String(name === chosen));
      tab.tabIndex = name === chosen ? 0 : -1;
      byId(`panel-${name}`).hidden = name !== chosen;
    }
    this.changed(chosen);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const last = this.names.length - 1;
    const at = this.names.indexOf(this.chosen);
    const next = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.choose(this.names[next]);
    byId(`tab-${this.names[next]}`).focus();
  }
}
