/** The list of all keys of a page. */
import { byId, make } from "./dom.js";

/** @typedef {import("./api.js").LabelClass} LabelClass */

/** @typedef {[string[], string][]} Commands keys, and what they do */

/** @type {Commands} */
const LABEL_KEYS = [
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

/** @type {Commands} */
export const REVIEW_KEYS = [
  [["Enter"], "Confirm what is selected"],
  [["Space"], "Unselect, or select again, as a click does"],
  [["Shift ← ↑ ↓ →"], "The same for a range, as Shift with a click does"],
  [["← ↑ ↓ →", "Home", "End", "Page"], "Move"],
  [["z"], "Look at it larger, as a double click or a long press does"],
  [["+", "−"], "Larger and smaller pictures"],
  [["u", "Ctrl Z"], "Undo the last batch or answer"],
  [["?"], "This list"],
];

/** @param {string[]} keys @param {string} what */
const row = (keys, what) => make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, what));

/** What the Label page has; many classes can be searched there. @returns {Commands} */
export const labelKeys = () => (byId("search-classes").hidden ? LABEL_KEYS : [...LABEL_KEYS, SEARCH]);

/** @param {LabelClass[]} classes @param {Commands} commands @returns {() => void} opens it */
export function keysDialog(classes, commands) {
  const dialog = byId("keys-dialog");
  const isTaken = (/** @type {string} */ wanted) => classes.some(({ key }) => key === wanted);
  byId("keys-commands").replaceChildren(...commands.filter(([keys]) => !keys.some(isTaken)).map(([keys, what]) => row(keys, what)));
  byId("keys-classes").replaceChildren(...classes.filter(({ key }) => key).map(({ key, name }) => row([String(key)], name)));
  byId("keys-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => { if (event.target === dialog) dialog.close(); });
  return () => dialog.showModal();
}
