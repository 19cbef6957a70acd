/** The buttons of the classes on the Label page: to choose by, and to show what was chosen or guessed. */
import { ClassSearch } from "./classsearch.js";
import { classColour } from "./colours.js";
import { byId, make, setText } from "./dom.js";
import { percent } from "./format.js";
import { BalancedRows } from "./rows.js";
import { classButtons } from "./task.js";

/** @typedef {import("./api.js").LabelClass} LabelClass */

const COMPACT_FROM = 7; // classes: smaller buttons
const SEARCH_FROM = 10; // classes: type-ahead
const CHOSEN_MS = 180;

export class ClassPicker {
  /** @type {Map<string, HTMLButtonElement>} */ #buttons;
  /** @type {BalancedRows} */ #rows;
  /** @type {ClassSearch|null} */ search = null;

  /** @param {LabelClass[]} classes @param {(chosen: LabelClass, event?: MouseEvent) => void} choose */
  constructor(classes, choose) {
    const buttons = classButtons(classes, choose);
    buttons.forEach((button, index) => {
      button.style.setProperty("--class-colour", classColour(index));
      button.append(make("span", { class: "score" }), make("span", { class: "bar", "aria-hidden": "true" }));
    });
    this.#buttons = new Map(classes.map(({ name }, index) => [name, buttons[index]]));
    const root = byId("classes");
    if (classes.length >= COMPACT_FROM) root.dataset.many = "";
    root.style.setProperty("--longest", String(Math.max(...classes.map(({ name }) => name.length))));
    root.replaceChildren(...buttons);
    this.#rows = new BalancedRows(root, buttons);
    if (classes.length >= SEARCH_FROM) this.search = new ClassSearch(classes, buttons, { choose, narrowed: () => this.#rows.arrange() });
  }

  /** Without a picture there is nothing to choose. @param {boolean} isAnswerable */
  setAnswerable(isAnswerable) {
    // not `disabled`: that would drop the focus of whoever is on a button
    for (const button of this.#buttons.values()) button.setAttribute("aria-disabled", String(!isAnswerable));
  }

  /** @param {string} name */
  flash(name) {
    const button = this.#buttons.get(name);
    button?.classList.add("chosen");
    setTimeout(() => button?.classList.remove("chosen"), CHOSEN_MS);
  }

  /** The answer that is looked back at. @param {string|null|undefined} name undefined: none is */
  showGiven(name) {
    for (const [each, button] of this.#buttons) {
      if (name === undefined) button.removeAttribute("aria-pressed");
      else button.setAttribute("aria-pressed", String(each === name));
    }
  }

  /** A thin bar for each class. @param {number[]|null} scores of the classes in their order, or null if there are none
   * @param {boolean} areWanted whether they have a place at all */
  showScores(scores, areWanted) {
    const root = byId("classes");
    if (!areWanted && !("scores" in root.dataset)) return;
    if (areWanted !== "scores" in root.dataset) {
      root.toggleAttribute("data-scores", areWanted);
      this.#rows.arrange();
    }
    [...this.#buttons.values()].forEach((button, index) => {
      const score = (areWanted && scores?.[index]) || 0;
      setText(/** @type {Element} */ (button.querySelector(".score")), areWanted && scores ? percent(score, 0) : "");
      /** @type {HTMLElement} */ (button.querySelector(".bar")).style.transform = `scaleX(${score})`;
    });
  }
}
