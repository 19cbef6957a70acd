/** The name of a file where there is little room: the beginning gives way, since names differ at their ends. */
import { make } from "./dom.js";
import { characterStart } from "./names.js";

const TAIL = 14; // characters that stay: a number and the suffix
const HEAD = 4; // at least, to be cut
const SHORT = 8; // there is room for these in the smallest tile

/** @param {string} name @returns {Node} what a screen reader takes for the whole name */
export function fileName(name) {
  if (name.length <= SHORT) return document.createTextNode(name);
  const cut = characterStart(name, Math.max(HEAD, name.length - TAIL));
  return make("span", { class: "name file-name", dir: "auto" },
    make("span", { class: "sr-only" }, name),
    make("span", { class: "name-head", "aria-hidden": "true" }, name.slice(0, cut)),
    make("span", { class: "name-tail", "aria-hidden": "true" }, make("span", {}, name.slice(cut))));
}
