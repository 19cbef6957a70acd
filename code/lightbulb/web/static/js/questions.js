/**
 * The next questions, fetched ahead with their images already decoded: the more, the faster they are answered.
 *
 * Events: "ready" when one more can be shown, "none" when the server has no more for now,
 * "unusable" ({detail: text}) for an item whose image cannot be shown.
 */
import { getQuestions } from "./api.js";
import { sleep } from "./dom.js";
import { loadImage } from "./picture.js";

/** @typedef {import("./api.js").Question} Question @typedef {{question: Question, img: HTMLImageElement}} Prepared */

const COVERED_MS = 4000; // answering may go on for so long without the server
const FEWEST = 5;
const MOST = 24; // a question fetched earlier was chosen by an older model
const PACE_OF = 8; // answers
const RETRY_MS = 1500;
const REMEMBERED = 16; // pictures, for going back

export class QuestionQueue extends EventTarget {
  /** @type {Prepared|null} */ current = null;
  /** @type {Prepared[]} */ #ready = [];
  /** @type {Set<number>} items whose image is on its way */ #loading = new Set();
  /** @type {Set<number>} items that this tab cannot show: held, so that they are not sent again */ #unusable = new Set();
  /** @type {Map<number, HTMLImageElement>} the last pictures shown */ #shown = new Map();
  /** @type {number[]} when the last questions came up, ms */ #times = [];
  #fetching = false;
  remaining = 0;

  /** @param {string} client @param {() => number[]} unsent items answered but not delivered yet
   * @param {(media: string) => string} sized the address of a picture in the size it is shown */
  constructor(client, unsent, sized) {
    super();
    this.client = client;
    this.unsent = unsent;
    this.sized = sized;
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
    if (this.current) this.#remember(this.current);
    this.#times = [...this.#times, performance.now()].slice(-PACE_OF);
    this.refill();
    return this.current;
  }

  /** Show these again, before everything else; the current question comes after them. @param {Question[]} questions */
  async putBack(questions) {
    const prepared = [];
    for (const question of questions) {
      this.#unusable.delete(question.item);
      this.#loading.add(question.item);
      const img = await this.picture(question);
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
    const ahead = this.#ahead();
    if (this.#fetching || coming > ahead * 0.6) return;
    this.#fetching = true;
    try {
      const { questions, remaining } = await getQuestions(ahead - coming, this.client, this.held());
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

  /** How many questions to hold at the present pace. */
  #ahead() {
    const [first] = this.#times;
    const each = this.#times.length > 1 ? (performance.now() - first) / (this.#times.length - 1) : Infinity;
    return Math.min(MOST, Math.max(FEWEST, Math.ceil(COVERED_MS / each)));
  }

  /** @param {Prepared} prepared */
  #remember({ question: { item }, img }) {
    this.#shown.delete(item);
    this.#shown.set(item, img);
    if (this.#shown.size > REMEMBERED) this.#shown.delete(this.#shown.keys().next().value);
  }

  /** @param {Question} question */
  async #load(question) {
    this.#loading.add(question.item);
    const img = await this.picture(question);
    this.#loading.delete(question.item);
    if (!img) { this.refill(); return; }
    this.#ready.push({ question, img });
    this.dispatchEvent(new Event("ready"));
  }

  /** Whether a picture shown before is still here. @param {number} item */
  hasPicture(item) { return this.#shown.has(item); }

  /** A picture of an item answered before. @param {Question} question */
  async pictureAgain(question) {
    const img = await this.picture(question);
    if (img) this.#remember({ question, img });
    return img;
  }

  /** @param {{item: number, name: string, media: string}} question
   * @returns {Promise<HTMLImageElement|null>} decoded; null when it can never be shown */
  async picture({ item, name, media }) {
    for (;;) {
      try {
        return this.#shown.get(item) ?? await loadImage(this.sized(media), name);
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
