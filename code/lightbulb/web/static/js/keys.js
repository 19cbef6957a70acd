/** Keyboard shortcuts that never get in the way of typing. */
/** @typedef {import("./api.js").LabelClass} LabelClass */

const TYPING = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=file])";

/** @param {KeyboardEvent} event */
const isTyping = (event) => event.target instanceof Element && event.target.matches(TYPING);

/** Space and Enter on a button or a link belong to it. @param {KeyboardEvent} event */
const isActivation = (event) => (event.key === " " || event.key === "Enter")
  && event.target instanceof Element && event.target.matches("button, a, summary, input");

/**
 * The class whose key was pressed. The digit row is matched by place too, since some layouts
 * (French, Czech) have other characters there unless Shift is held.
 * @param {LabelClass[]} classes @param {KeyboardEvent} event @returns {LabelClass|undefined}
 */
export function classForKey(classes, event) {
  const exact = classes.find(({ key }) => key === event.key);
  if (exact) return exact;
  if (event.shiftKey) return undefined;
  const same = classes.find(({ key }) => key && key.toLowerCase() === event.key.toLowerCase());
  const digit = /^Digit(\d)$/.exec(event.code ?? "")?.[1];
  return same ?? classes.find(({ key }) => digit !== undefined && key === digit);
}

/**
 * @param {{undo?: () => void, classes?: LabelClass[], choose?: (chosen: LabelClass) => void,
 *   other?: (event: KeyboardEvent) => boolean|void, enabled?: () => boolean}} handlers
 *   `other` sees what no class and no undo took; it returns true when it used the key
 */
export function onShortcuts({ undo, classes = [], choose, other, enabled = () => true }) {
  document.addEventListener("keydown", (event) => {
    if (!enabled() || event.repeat || event.defaultPrevented || event.isComposing || isTyping(event) || isActivation(event)) return;
    const command = event.ctrlKey || event.metaKey;
    if (undo && command && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      undo();
      return;
    }
    if (command || event.altKey) return;
    const chosen = choose && classForKey(classes, event);
    if (chosen) choose(chosen);
    else if (undo && !event.shiftKey && event.key.toLowerCase() === "u") undo();
    else if (!other?.(event)) return;
    event.preventDefault();
  });
}
