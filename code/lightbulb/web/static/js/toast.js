/** Short messages at the foot of the window, at most three at a time. */
import { byId, make } from "./dom.js";

/** Take away the messages whose action is another one by now. */
export function withdrawActions() {
  for (const button of byId("toasts").querySelectorAll(".toast-action")) button.closest(".toast")?.remove();
}

/**
 * @param {string} text
 * @param {{level?: "info"|"error", action?: {text: string, run: () => void}|null, ms?: number}} [options]
 */
export function toast(text, { level = "info", action = null, ms = level === "error" ? 9000 : action ? 12000 : 2500 } = {}) {
  const list = byId("toasts");
  // an open modal dialog hides whatever is outside it
  const dialog = document.querySelector("dialog[open]");
  (dialog ?? document.body).append(list);
  dialog?.addEventListener("close", () => document.body.append(list), { once: true });
  const close = () => { clearTimeout(timer); box.remove(); };
  const box = make("div", { class: `toast toast-${level}`, "data-level": level }, make("span", {}, text),
    action && make("button", { type: "button", class: "toast-action", onclick: () => { close(); action.run(); } }, action.text),
    level === "error" || action
      ? make("button", { type: "button", class: "toast-close", "aria-label": "Dismiss", onclick: () => close() }, "×") : null);
  let timer = window.setTimeout(close, ms);
  // nobody should have to race a message they are reading
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => { timer = window.setTimeout(close, 3000); });
  box.addEventListener("focusin", () => clearTimeout(timer));
  if (action) withdrawActions(); // "Undo" takes back the last action, which the earlier messages do not tell of
  list.append(box);
  while (list.children.length > 3) list.firstElementChild?.remove();
  return close;
}
