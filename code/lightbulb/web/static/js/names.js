/**
 * Names of classes where there is little room: what all of them begin with gives way to an ellipsis, and the
 * part that tells them apart stays.
 */
import { make } from "./dom.js";

const SHORT = 12; // characters: there is room for these
const LONGEST_WORD = 14;
const LEAST_HEAD = 3;

/** @type {Map<string, number>} where the part begins that tells the class from the others */
let cuts = new Map();

/** @param {string} a @param {string} b how many characters both begin with */
function shared(a, b) {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}

/** Back to where the character begins that a place is in. @param {string} name @param {number} at */
export function characterStart(name, at) {
  let start = at;
  while (start > 0 && /[\p{M}\u200d\ufe0f\udc00-\udfff]/u.test(name[start] ?? "")) start -= 1;
  return start;
}

/** Back to where the word begins, or at least not within a character. @param {string} name @param {number} at */
function wordStart(name, at) {
  let start = at;
  while (start > 0 && /[\p{L}\p{N}\p{M}]/u.test(name[start - 1])) start -= 1;
  return at - start <= LONGEST_WORD ? start : characterStart(name, at);
}

/**
 * @param {string[]} names all different
 * @returns {Map<string, number>} for each the length of its beginning that can go: what is left is no other's
 */
export function tellApart(names) {
  const choices = new Map(names.map((name) => {
    const found = names.filter((other) => other !== name).map((other) => wordStart(name, shared(name, other)));
    return [name, [...new Set(name.length > SHORT ? found : []), 0].sort((a, b) => b - a)];
  }));
  for (;;) {
    /** @type {Map<string, string[]>} */
    const alike = new Map();
    for (const [name, [cut]] of choices) alike.set(name.slice(cut), [...(alike.get(name.slice(cut)) ?? []), name]);
    const unclear = [...alike.values()].filter((group) => group.length > 1).flat().filter((name) => (choices.get(name)?.length ?? 0) > 1);
    if (!unclear.length) return new Map([...choices].map(([name, [cut]]) => [name, cut]));
    for (const name of unclear) choices.get(name)?.shift();
  }
}

/** @param {string[]} names of the task's classes */
export function learnNames(names) { cuts = tellApart(names); }

/** Whether some name takes more room than is usual. */
export const areLong = () => [...cuts.keys()].some((name) => name.length > SHORT * 2);

/** What shows the name, and tells a screen reader the whole of it. @param {string} name @returns {Node} */
export function nameNode(name) {
  const cut = cuts.get(name) ?? 0;
  if (cut < LEAST_HEAD) return document.createTextNode(name);
  return make("span", { class: "name", dir: "auto" },
    make("span", { class: "sr-only" }, name),
    make("span", { class: "name-head", "aria-hidden": "true" }, name.slice(0, cut)),
    make("span", { class: "name-tail", "aria-hidden": "true" }, name.slice(cut)));
}

/** As text, where nothing but text can be. @param {string} name @param {number} most characters */
export function shortName(name, most) {
  if (name.length <= most) return name;
  const tail = name.slice(cuts.get(name) ?? 0);
  if (tail === name) return `${name.slice(0, most - 1)}…`;
  const shown = tail.length < most - LEAST_HEAD ? tail : `${tail.slice(0, most - LEAST_HEAD - 2)}…`;
  return `${name.slice(0, Math.max(LEAST_HEAD, most - shown.length - 1)).trimEnd()}…${shown}`;
}
