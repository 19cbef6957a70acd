/** The task, asked for once, and how its classes look. */
import { getTask } from "./api.js";
import { classColour, classShape } from "./colours.js";
import { make, sleep } from "./dom.js";
import { learnNames, nameNode } from "./names.js";

/** @typedef {import("./api.js").Task} Task @typedef {import("./api.js").LabelClass} LabelClass */

/** @returns {Promise<Task>} waits for the server when it is away */
export async function loadTask() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      const task = await getTask();
      learnNames(task.label.classes.map(({ name }) => name));
      return task;
    } catch {
      await sleep(wait); // the banner tells the person why nothing happens
    }
  }
}

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
