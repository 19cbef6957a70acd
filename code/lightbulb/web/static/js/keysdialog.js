/** The list of all keys of the Label page. */
import { byId, make } from "./dom.js";

/** @typedef {import("./api.js").LabelClass} LabelClass */

/** @type {[string[], string][]} */
const COMMANDS = [
  [["u", "Ctrl Z"], "Undo the last answer, or the last batch"],
  [["s"], "Skip: asked again later"],
  [["f"], "Flag the image, with a note"],
  [["←", "→"], "Look back at your last answers, and on again; a class key changes the one you see"],
  [["Esc"], "Back to the question"],
  [["+", "−"], "Zoom in and out, as the wheel does"],
  [["0"], "The whole image, as a double click does"],
  [["Shift ← ↑ ↓ →"], "Move the zoomed image"],
  [["?"], "This list"],
];
/** @type {[string[], string]} */
const SEARCH = [["/"], "Search the classes; Enter takes the marked one"];

/** @param {string[]} keys @param {string} what */
const row = (keys, what) => make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, what));

/** @param {LabelClass[]} classes @returns {() => void} opens it */
export function keysDialog(classes) {
  const dialog = byId("keys-dialog");
  const isTaken = (/** @type {string} */ wanted) => classes.some(({ key }) => key === wanted);
  const commands = byId("search-classes").hidden ? COMMANDS : [...COMMANDS, SEARCH];
  byId("keys-commands").replaceChildren(...commands.filter(([keys]) => !keys.some(isTaken)).map(([keys, what]) => row(keys, what)));
  byId("keys-classes").replaceChildren(...classes.filter(({ key }) => key).map(({ key, name }) => row([String(key)], name)));
  byId("keys-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => { if (event.target === dialog) dialog.close(); });
  return () => dialog.showModal();
}
