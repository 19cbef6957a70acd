/** How the classes of the task look. */
import { classColour, classShape } from "./colours.js";
import { make } from "./dom.js";
import { nameNode } from "./names.js";

/** @typedef {import("./api.js").LabelClass} LabelClass */

/** A coloured dot: a second cue beside the name, never the only one. @param {number} index */
export function classDot(index) {
  const dot = make("span", { class: `dot dot-${classShape(index)}`, "aria-hidden": "true" });
  dot.style.setProperty("--class-colour", classColour(index));
  return dot;
}

/**
 * @param {LabelClass[]} classes
 * @param {(chosen: LabelClass, event: MouseEvent) => void} choose
 * @returns {HTMLButtonElement[]}
 */
export function classButtons(classes, choose) {
  return classes.map((each, index) => make("button", {
    type: "button", class: "class-button", "data-class": each.name, title: each.name,
    "aria-keyshortcuts": each.key, onclick: (/** @type {MouseEvent} */ event) => choose(each, event),
  }, classDot(index), make("span", { class: "class-name" }, nameNode(each.name)), each.key ? make("kbd", {}, each.key) : null));
}
