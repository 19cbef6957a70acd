/**
 * Two views of the Dataset page: labels that look wrong, and groups of near-duplicates. Each card is settled
 * with one click: mended, or kept as it is.
 */
import { getDuplicates, getSuspects } from "./datasetapi.js";
import { byId, make, setText } from "./dom.js";
import { percent, plural } from "./format.js";
import { classDot } from "./task.js";
import { thumbnail } from "./tiles.js";

/** @typedef {import("./datasetapi.js").Labelled} Labelled @typedef {import("./datasetapi.js").Group} Group */
/** @typedef {{item: number, label: string|null}[]} Labels */

const MOST_SUSPECTS = 200;
const GROUPS = 30;
const ASK_AGAIN_MS = 1500;

export class DoubtsView {
  #asked = 0;
  #retry = 0;

  /**
   * @param {string[]} classes
   * @param {{save: (labels: Labels, said: string) => Promise<boolean>, open: (item: number, opener: HTMLElement) => void}} page
   */
  constructor(classes, page) {
    this.classes = classes;
    this.page = page;
    this.list = byId("doubts");
    byId("more-groups").addEventListener("click", () => this.#showDuplicates(this.list.children.length));
  }

  /** @param {"suspects"|"duplicates"|"items"} view */
  async show(view) {
    this.#asked += 1;
    clearTimeout(this.#retry);
    byId("doubts-view").hidden = view === "items";
    byId("more-groups").hidden = true;
    if (view === "items") return;
    this.list.replaceChildren();
    setText(byId("doubts-text"), "One moment…");
    try {
      await (view === "suspects" ? this.#showSuspects() : this.#showDuplicates(0));
    } catch (error) {
      setText(byId("doubts-text"), `Cannot be shown: ${error.message}`);
    }
  }

  async #showSuspects() {
    const mine = this.#asked;
    const { suspects, conflicts } = await getSuspects();
    if (mine !== this.#asked) return;
    this.list.replaceChildren(
      ...conflicts.map(({ items }) => this.#conflictCard(items)),
      ...suspects.slice(0, MOST_SUSPECTS).map((suspect) => this.#suspectCard(suspect)));
    const left = suspects.length - MOST_SUSPECTS;
    setText(byId("doubts-text"), this.list.children.length
      ? `${plural(suspects.length, "label")} that a model which did not learn from it doubts, the worst first${left > 0 ? ` (${MOST_SUSPECTS} shown)` : ""}; ${plural(conflicts.length, "group")} of copies labelled differently. Mend a label, or say that it is right: then it is not doubted again.`
      : "No label looks wrong. They are looked through again with every new model.");
  }

  /** @param {number} offset */
  async #showDuplicates(offset) {
    const mine = this.#asked;
    const found = await getDuplicates(offset, GROUPS);
    if (mine !== this.#asked) return;
    const total = Object.values(found.counts).reduce((sum, count) => sum + count, 0);
    if (found.state === "ready" || found.groups.length) this.list.append(...found.groups.map((group) => this.#groupCard(group)));
    const how = found.exact ? "" : " In a pool of this size only items that are alike at first sight are compared: a few pairs may be missed.";
    const texts = {
      waiting: "The images have to be encoded first; the groups appear here when that is done.",
      searching: `Comparing ${plural(found.total, "item")}…`,
      ready: total ? `${plural(total, "group")} of near-duplicates among ${plural(found.compared, "item")}: ${found.counts.conflict} labelled differently, ${found.counts.partly} in part, ${found.counts.unlabelled} not at all.${how}`
        : `No near-duplicates among ${plural(found.compared, "item")}.${how}`,
    };
    setText(byId("doubts-text"), texts[/** @type {keyof texts} */ (found.state)]);
    byId("more-groups").hidden = this.list.children.length >= total;
    if (found.state !== "ready") this.#retry = window.setTimeout(() => { if (mine === this.#asked) this.show("duplicates"); }, ASK_AGAIN_MS);
  }

  /** @param {Labelled & {suggested: string, score: number}} suspect */
  #suspectCard(suspect) {
    const { item, label, suggested, score } = suspect;
    return this.#card([suspect], [
      make("p", {}, "Labelled ", make("b", {}, String(label)), "; the model sees ", make("b", {}, suggested), ` (by ${percent(score, 0)} the likelier).`),
    ], [
      [`It is ${suggested}`, () => [[{ item, label: suggested }], `Labelled as ${suggested}`]],
      [`${label} is right`, () => [[{ item, label }], `Kept as ${label}`]],
    ]);
  }

  /** @param {Labelled[]} items some may be unlabelled */
  #conflictCard(items) {
    const known = items.filter(({ label }) => label !== null);
    const labels = [...new Set(known.map(({ label }) => label))];
    return this.#card(items, [make("p", {}, "Nearly the same, labelled differently.")], [
      ...labels.map((label) => /** @type {[string, () => [Labels, string]]} */ ([`All are ${label}`, () => [items.map(({ item }) => ({ item, label })), `Labelled ${plural(items.length, "item")} as ${label}`]])),
      ["The labels are right", () => [known.map(({ item, label }) => ({ item, label })), "Kept as they are"]],
    ]);
  }

  /** @param {Group} group */
  #groupCard({ items, size, labels, kind }) {
    const shown = size > items.length ? `, the first ${items.length} of them shown` : "";
    const names = Object.keys(labels);
    const said = names.map((name) => `${labels[name]} × ${name}`).join(", ") || "none labelled";
    const open = items.filter(({ label }) => label === null);
    const text = make("p", {}, make("b", {}, `${size} alike`), `: ${said}${open.length && names.length ? `, ${size - Object.values(labels).reduce((a, b) => a + b, 0)} unlabelled` : ""}${shown}.`);
    if (kind === "conflict") {
      const card = this.#conflictCard(items);
      card.querySelector("p")?.replaceWith(text);
      return card;
    }
    const choices = kind === "unlabelled" ? this.classes : kind === "partly" ? names : [];
    return this.#card(items, [text], choices.map((name) => [
      kind === "partly" ? `Label the other${open.length > 1 ? ` ${open.length}` : ""} as ${name}` : `All are ${name}`,
      () => [open.map(({ item }) => ({ item, label: name })), `Labelled ${plural(open.length, "item")} as ${name}`],
    ]));
  }

  /**
   * @param {Labelled[]} items @param {HTMLElement[]} text
   * @param {[string, () => [Labels, string]][]} choices what a button says; the labels that it gives
   */
  #card(items, text, choices) {
    const card = make("li", { class: "doubt" });
    const pictures = items.map((one) => make("button", {
      type: "button", class: "doubt-picture", title: one.name, "data-item": one.item,
      onclick: (/** @type {MouseEvent} */ event) => this.page.open(one.item, /** @type {HTMLElement} */ (event.currentTarget)),
    }, thumbnail(one.media), make("span", { class: "doubt-label" }, one.label ? classDot(this.classes.indexOf(one.label)) : null, one.label ?? "unlabelled"), make("span", { class: "sr-only" }, `: open ${one.name}`)));
    const buttons = choices.map(([name, labels]) => make("button", { type: "button", onclick: () => this.#settle(card, ...labels()) }, name));
    card.append(make("div", { class: "doubt-pictures" }, ...pictures), make("div", { class: "doubt-text" }, ...text, make("div", { class: "doubt-choices" }, ...buttons)));
    return card;
  }

  /** @param {HTMLElement} card @param {Labels} labels @param {string} said */
  async #settle(card, labels, said) {
    if (!await this.page.save(labels, said)) return;
    const next = card.nextElementSibling ?? card.previousElementSibling;
    card.remove();
    /** @type {HTMLElement|null} */ (next?.querySelector(".doubt-choices button") ?? byId("views").querySelector("[aria-pressed=true]"))?.focus();
    if (!this.list.children.length) setText(byId("doubts-text"), "That was the last one here.");
  }
}
