/** A double click or a long press: "let me see that one larger". Neither changes what a click would. */

const LONG_PRESS_MS = 500;
const STEADY_PX = 10; // a finger that moves farther is scrolling

/**
 * @template State
 * @param {HTMLElement} element
 * @param {{save: () => State, peek: (before: State) => void}} on
 *   save: the state before the first click; peek gets it back, to undo what the clicks did
 */
export function onPeek(element, { save, peek }) {
  /** @type {State} */ let before;
  let timer = 0;
  let start = { x: 0, y: 0 };
  let isHeld = false;
  let isMouse = true; // the last pointer; not every browser's contextmenu tells
  const end = () => clearTimeout(timer);
  element.addEventListener("click", (event) => {
    if (isHeld) { event.stopImmediatePropagation(); isHeld = false; } else if (event.detail <= 1) before = save();
  }, { capture: true });
  element.addEventListener("dblclick", (event) => { if (!event.shiftKey) peek(before); });
  element.addEventListener("pointerdown", (event) => {
    isHeld = false;
    isMouse = event.pointerType === "mouse";
    if (isMouse) return;
    start = { x: event.clientX, y: event.clientY };
    end();
    timer = window.setTimeout(() => { isHeld = true; peek(save()); }, LONG_PRESS_MS);
  });
  element.addEventListener("pointermove", (event) => {
    if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > STEADY_PX) end();
  });
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, end);
  element.addEventListener("contextmenu", (event) => { if (!isMouse) event.preventDefault(); });
}
