/** One's own last answers, the latest first: those of this page, and on demand those before it. */
import { getAnswers } from "./api.js";

/** @typedef {import("./api.js").Question} Question @typedef {{question: Question, label: string|null}} Entry `label` null: skipped */

const PAGE = 20;

export class AnswerHistory {
  /** @type {Entry[]} */ #entries = [];
  /** @type {number|undefined} the oldest action that was fetched */ #oldest;
  #isComplete = false;
  #at = -1; // -1: not looking back
  #turns = 0; // times one turned forward: a step back that waits for the server is off then

  /** @returns {Entry|null} the answer looked at */
  get entry() { return this.#entries[this.#at] ?? null; }

  /** How many answers back; 0 when not looking back. */
  get depth() { return this.#at + 1; }

  /** A new answer; it takes the place of an earlier one to the same item. @param {Question} question @param {string|null} label */
  add(question, label) {
    this.remove(question.item);
    this.#entries.unshift({ question, label });
  }

  /** @param {number} item */
  remove(item) { this.#entries = this.#entries.filter(({ question }) => question.item !== item); }

  /** The answer to an item is another one now; its place stays. @param {number} item @param {string|null} label */
  change(item, label) {
    for (const entry of this.#entries) if (entry.question.item === item) entry.label = label;
  }

  /** Forget everything: the server knows better. */
  clear() {
    this.#entries = [];
    this.#oldest = undefined;
    this.#isComplete = false;
    this.leave();
  }

  /** @param {number} item @returns {Question|undefined} as it was asked */
  questionOf(item) { return this.#entries.find(({ question }) => question.item === item)?.question; }

  leave() {
    this.#turns += 1;
    this.#at = -1;
  }

  /** One answer further back. @returns {Promise<Entry|null>} null when there is none @throws {ApiError} */
  async back() {
    const turns = this.#turns;
    while (this.#at + 1 >= this.#entries.length && !this.#isComplete) await this.#fetchOlder();
    if (turns !== this.#turns || this.#at + 1 >= this.#entries.length) return null;
    this.#at += 1;
    return this.entry;
  }

  /** @returns {Entry|null} null when that is the present again */
  forward() {
    this.#turns += 1;
    this.#at = Math.max(-1, this.#at - 1);
    return this.entry;
  }

  async #fetchOlder() {
    const { answers } = await getAnswers(PAGE, this.#oldest);
    const known = new Set(this.#entries.map(({ question }) => question.item));
    for (const { item, name, media, label, flag, action } of answers) {
      this.#oldest = action;
      if (!known.has(item)) this.#entries.push({ question: { item, name, media, flag, guess: null, scores: null }, label });
    }
    this.#isComplete = !answers.length;
  }
}
