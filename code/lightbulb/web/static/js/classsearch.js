/**
 * Type-ahead among many classes: typing narrows the buttons down, Enter takes the marked one. The field shows
 * itself when it is called, or for good where some class has no key.
 */
import { announce, byId, setText } from "./dom.js";
import { plural } from "./format.js";

/** @typedef {import("./api.js").LabelClass} LabelClass */

/** @param {string} text without accents and capitals */
const folded = (text) => text.normalize("NFKD").replace(/[\p{M}\u200c\u200d]/gu, "").toLowerCase();

/** How well a class fits: 0 its start, 1 the start of a word, 2 anywhere, 3 not at all. @param {string} name @param {string} wanted */
function rank(name, wanted) {
  const at = folded(name).indexOf(wanted);
  if (at <= 0) return at < 0 ? 3 : 0;
  return folded(name).split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted)) ? 1 : 2;
}

export class ClassSearch {
  /** @type {HTMLButtonElement|null} the one that Enter takes */ #marked = null;

  /** @param {LabelClass[]} classes @param {HTMLButtonElement[]} buttons aligned
   * @param {{choose: (chosen: LabelClass) => void, narrowed: () => void}} page narrowed: others are shown, or in another order */
  constructor(classes, buttons, page) {
    this.choices = classes.map((each, index) => ({ each, button: buttons[index] }));
    this.page = page;
    this.root = byId("class-search");
    this.input = byId("class-filter");
    this.isNeeded = classes.some(({ key }) => !key);
    this.root.hidden = !this.isNeeded;
    byId("search-classes").hidden = false;
    byId("search-classes").addEventListener("click", () => this.focus());
    this.input.addEventListener("blur", () => { this.root.hidden = !this.isNeeded && !this.input.value; });
    this.input.addEventListener("input", () => this.#narrow());
    this.input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
  }

  focus() {
    this.root.hidden = false;
    this.input.focus();
  }

  get #wanted() { return folded(this.input.value.trim()); }

  #narrow() {
    const wanted = this.#wanted;
    const ranked = this.choices.map((choice) => ({ ...choice, rank: wanted ? rank(choice.each.name, wanted) : 0 }));
    for (const { button, rank: found } of ranked) {
      button.hidden = found === 3;
      button.style.order = String(found);
    }
    this.page.narrowed();
    const fitting = ranked.filter((choice) => choice.rank < 3).sort((a, b) => a.rank - b.rank);
    setText(byId("class-count"), wanted ? (fitting.length ? plural(fitting.length, "class", "classes") : "no such class") : "");
    this.#mark(wanted ? fitting[0]?.button ?? null : null);
  }

  /** @param {HTMLButtonElement|null} button */
  #mark(button) {
    this.#marked?.classList.remove("marked");
    this.#marked = button;
    button?.classList.add("marked");
    button?.scrollIntoView({ block: "nearest" });
    if (button) announce(`${button.dataset.class}, Enter chooses it`);
  }

  /** @param {number} by */
  #step(by) {
    const visible = this.choices.map(({ button }) => button).filter((button) => !button.hidden)
      .sort((a, b) => Number(a.style.order) - Number(b.style.order));
    const at = this.#marked ? visible.indexOf(this.#marked) : -1;
    this.#mark(visible[Math.min(visible.length - 1, Math.max(0, at + by))] ?? null);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") this.#take();
    else if (event.key === "ArrowDown") this.#step(1);
    else if (event.key === "ArrowUp") this.#step(-1);
    else if (event.key === "Escape") { this.#clear(); this.input.blur(); }
    else return;
    event.preventDefault();
  }

  #take() {
    const chosen = this.choices.find(({ button }) => button === this.#marked)?.each;
    if (!chosen) return;
    this.#clear(); // the focus stays: the next class can be typed at once
    this.page.choose(chosen);
  }

  #clear() {
    this.input.value = "";
    this.#narrow();
  }
}
