/** Which items the Dataset page lists, in which order: kept in the page's address, shown in its controls. */
import { byId, debounce, make, setText } from "./dom.js";

export const STATES = ["all", "labelled", "unlabelled", "proposed", "skipped", "broken", "flagged"];
export const VIEWS = ["items", "suspects", "duplicates"];
export const SOURCES = { human: "by hand", confirmed: "confirmed", certified: "certified", imported: "imported" };
const SORTS = {
  name: "Name, A to Z", "-name": "Name, Z to A", "-added": "Added last", added: "Added first",
  confidence: "Least sure model", "-confidence": "Surest model", "-time": "Labelled last", time: "Labelled first",
};
const EMPTY = { view: "items", state: "all", label: "", annotator: "", source: "", disagrees: "", q: "", like: "", sort: "", at: "" };

/** @typedef {typeof EMPTY} Values */

/** @returns {Values} what the address says; nonsense in it is left out */
export function readAddress() {
  const given = new URLSearchParams(location.search);
  const values = { ...EMPTY };
  for (const name of /** @type {(keyof Values)[]} */ (Object.keys(EMPTY))) values[name] = given.get(name) ?? EMPTY[name];
  if (!STATES.includes(values.state)) values.state = "all";
  if (!VIEWS.includes(values.view)) values.view = "items";
  if (!(values.sort in SORTS)) values.sort = "";
  if (!(values.source in SOURCES)) values.source = "";
  for (const name of /** @type {("like"|"at")[]} */ (["like", "at"])) if (!/^\d{1,9}$/.test(values[name])) values[name] = "";
  return values;
}

/** @param {Values} values @param {{isNew?: boolean}} [how] isNew: "Back" returns to what was before */
export function writeAddress(values, { isNew = false } = {}) {
  const kept = Object.entries(values).filter(([name, value]) => value && value !== EMPTY[/** @type {keyof Values} */ (name)]);
  const address = kept.length ? `?${new URLSearchParams(kept)}` : location.pathname;
  if (isNew) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

/** @param {Values} values @returns {Record<string, string>} the query of /api/items */
export function queryOf({ state, label, annotator, source, disagrees, q, like, sort }) {
  const query = { state, label, annotator, source, disagrees, q, like, sort: sort.replace("-", ""), descending: sort.startsWith("-") ? "true" : "" };
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value));
}

/** The controls of the filter. */
export class FilterBar {
  /** @param {string[]} classes @param {(change: Partial<Values>) => void} changed */
  constructor(classes, changed) {
    byId("states").replaceChildren(...STATES.map((state) => make("button", {
      type: "button", "data-state": state, "aria-pressed": "false", onclick: () => changed({ state }),
    }, make("span", {}, state[0].toUpperCase() + state.slice(1)), make("small", { "data-count": state === "all" ? "total" : state }))));
    const fill = (/** @type {string} */ id, /** @type {[string, string][]} */ options) =>
      byId(id).append(...options.map(([value, text]) => make("option", { value }, text)));
    fill("class-filter", classes.map((name) => [name, name]));
    fill("source-filter", Object.entries(SOURCES));
    fill("sort", Object.entries(SORTS).map(([value, text]) => [value === "name" ? "" : value, text]));
    const select = (/** @type {string} */ id, /** @type {keyof Values} */ name) =>
      byId(id).addEventListener("change", () => changed({ [name]: byId(id).value }));
    select("class-filter", "label");
    select("annotator-filter", "annotator");
    select("source-filter", "source");
    select("sort", "sort");
    byId("disagrees").addEventListener("change", () => changed({ disagrees: byId("disagrees").checked ? "true" : "" }));
    byId("search").addEventListener("input", debounce(() => changed({ q: byId("search").value.trim() }), 250));
    byId("more-filters").addEventListener("click", () => this.#expand(byId("extra-filters").hidden));
    byId("clear-like").addEventListener("click", () => changed({ like: "", sort: "" }));
    byId("clear-filters").addEventListener("click", () => changed({ ...EMPTY }));
  }

  /** @param {string[]} names */
  setAnnotators(names) {
    const select = byId("annotator-filter");
    const known = new Set(Array.from(select.options, (option) => /** @type {HTMLOptionElement} */ (option).value));
    select.append(...names.filter((name) => !known.has(name)).map((name) => make("option", { value: name }, name)));
  }

  /** @param {Values} values */
  show(values) {
    for (const button of byId("states").children) button.setAttribute("aria-pressed", String(button.dataset.state === values.state));
    byId("class-filter").value = values.label;
    if (values.annotator) this.setAnnotators([values.annotator]);
    byId("annotator-filter").value = values.annotator;
    byId("source-filter").value = values.source;
    byId("disagrees").checked = Boolean(values.disagrees);
    if (document.activeElement !== byId("search")) byId("search").value = values.q;
    byId("sort").options[0].textContent = values.like ? "Most alike" : SORTS.name;
    byId("sort").value = values.sort;
    const hidden = [values.annotator, values.source, values.disagrees].filter(Boolean).length;
    setText(byId("more-filters-count"), hidden ? ` (${hidden})` : "");
    byId("like").hidden = !values.like;
    byId("clear-filters").hidden = !Object.keys(queryOf({ ...values, sort: "", state: values.state === "all" ? "" : values.state })).length;
    if (hidden) this.#expand(true);
  }

  /** @param {boolean} isOpen */
  #expand(isOpen) {
    byId("extra-filters").hidden = !isOpen;
    byId("more-filters").setAttribute("aria-expanded", String(isOpen));
  }
}
