/**
 * The next questions, fetched ahead with their images already decoded.
 *
 * Events: "ready" when one more can be shown, "none" when the server has no more for now,
 * "unusable" ({detail: text}) for an item whose image cannot be shown.
 */
import { getQuestions } from "./api.js";
import { sleep } from "./dom.js";
import { loadImage } from "./picture.js";

/** @typedef {import("./api.js").Question} Question @typedef {{question: Question, img: HTMLImageElement}} Prepared */

const AHEAD = 5;
const REFILL_UNDER = 3;
const RETRY_MS = 1500;

export class QuestionQueue extends EventTarget {
  /** @type {Prepared|null} */ current = null;
  /** @type {Prepared[]} */ #ready = [];
  /** @type {Set<number>} items whose image is on its way */ #loading = new Set();
  /** @type {Set<number>} items that this tab cannot show: held, so that they are not sent again */ #unusable = new Set();
  #fetching = false;
  remaining = 0;

  /** @param {string} client @param {() => number[]} unsent items answered but not delivered yet */
  constructor(client, unsent) {
    super();
    this.client = client;
    this.unsent = unsent;
  }

  /** @returns {number[]} every item id this tab still holds */
  held() {
    const current = this.current ? [this.current.question.item] : [];
    const ready = this.#ready.map(({ question }) => question.item);
    return [...new Set([...current, ...ready, ...this.#loading, ...this.#unusable, ...this.unsent()])];
  }

  /** Move on. @returns {Prepared|null} null while nothing is ready */
  next() {
    this.current = this.#ready.shift() ?? null;
    this.refill();
    return this.current;
  }

  /** Show these again, before everything else; the current question comes after them. @param {Question[]} questions */
  async putBack(questions) {
    const prepared = [];
    for (const question of questions) {
      this.#unusable.delete(question.item);
      this.#loading.add(question.item);
      const img = await this.#prepare(question);
      this.#loading.delete(question.item);
      if (img) prepared.push({ question, img });
    }
    const ids = new Set(prepared.map(({ question }) => question.item));
    const rest = [...(this.current ? [this.current] : []), ...this.#ready];
    this.#ready = [...prepared, ...rest.filter(({ question }) => !ids.has(question.item))];
    return this.next();
  }

  async refill() {
    const coming = this.#ready.length + this.#loading.size;
    if (this.#fetching || coming >= REFILL_UNDER) return;
    this.#fetching = true;
    try {
      const { questions, remaining } = await getQuestions(AHEAD - coming, this.client, this.held());
      this.remaining = remaining;
      const held = new Set(this.held());
      const fresh = questions.filter(({ item }) => !held.has(item));
      fresh.forEach((question) => this.#load(question));
      if (!fresh.length && !this.#ready.length && !this.#loading.size) this.dispatchEvent(new Event("none"));
    } catch {
      setTimeout(() => this.refill(), RETRY_MS); // the banner has the reason
    } finally {
      this.#fetching = false;
    }
  }

  /** @param {Question} question */
  async #load(question) {
    this.#loading.add(question.item);
    const img = await this.#prepare(question);
    this.#loading.delete(question.item);
    if (!img) { this.refill(); return; }
    this.#ready.push({ question, img });
    this.dispatchEvent(new Event("ready"));
  }

  /** @param {Question} question @returns {Promise<HTMLImageElement|null>} null when it can never be shown */
  async #prepare({ item, name, media }) {
    for (;;) {
      try {
        return await loadImage(media, name);
      } catch (error) {
        // a server that is away says nothing about the image
        if (error.isPassing) { await sleep(RETRY_MS); continue; }
        this.#unusable.add(item);
        this.dispatchEvent(new CustomEvent("unusable", { detail: `Skipped over ${name}: ${error.message}` }));
        return null;
      }
    }
  }
}
