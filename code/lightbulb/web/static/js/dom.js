/** Small helpers to make elements. Text only ever enters through textContent. */

/** @param {string} id @returns {any} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id} on this page`);
  return found;
}

/**
 * make("button", {class: "x", type: "button", onclick: fn}, "text", child)
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `on…` keys are listeners; null and false are left out
 * @param {...(Node|string|null)} children strings become text nodes
 * @returns {any}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Write text only when it differs, so that an unchanged live region stays silent.
 * @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Say something to a screen reader only. @param {string} text */
export const announce = (text) => setText(byId("announce"), text);

/** A remembered setting; a browser that forbids storage simply forgets. */
export const settings = {
  /** @param {string} name @param {string} fallback */
  get(name, fallback) {
    try { return localStorage.getItem(`lightbulb:${name}`) ?? fallback; } catch { return fallback; }
  },
  /** @param {string} name @param {string} value */
  set(name, value) {
    try { localStorage.setItem(`lightbulb:${name}`, value); } catch { /* forgotten on reload */ }
  },
};

/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves once what has just changed is painted; at once when the page is left. @returns {Promise<void>} */
export const painted = () => new Promise((resolve) => {
  const done = () => { window.removeEventListener("pagehide", done); resolve(); };
  requestAnimationFrame(() => setTimeout(done, 0));
  setTimeout(done, 100); // no frame comes while nobody sees the page
  window.addEventListener("pagehide", done);
});

/** Call fn once typing has paused. @param {(...a: any[]) => void} fn @param {number} ms */
export function debounce(fn, ms) {
  let timer = 0;
  return (/** @type {any[]} */ ...args) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => fn(...args), ms);
  };
}
