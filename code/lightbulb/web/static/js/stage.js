/** The large picture on the Label page, its caption, and what stands there when there is none. */
import { announce, byId, make, setText } from "./dom.js";
import { plural } from "./format.js";
import { fitImage, isReduced, keepFitted, loadImage } from "./picture.js";
import { Zoom } from "./zoom.js";

/** @typedef {import("./api.js").Question} Question */

const ZOOM_STEP = 1.5;
const FLASH_MS = 450;

export class Stage {
  /** @type {HTMLImageElement|null} */ #img = null;
  /** @type {Question|null} */ #question = null;
  #flashed = 0; // the timer that ends the flash
  /** @type {string} media whose original is there or on its way */ #original = "";

  constructor() {
    this.picture = byId("picture");
    this.flashBox = byId("flash");
    this.empty = byId("empty");
    this.zoom = new Zoom(byId("stage"), (scale) => this.#onZoom(scale));
    keepFitted(this.picture);
    byId("zoom-in").addEventListener("click", () => this.zoom.by(ZOOM_STEP));
    byId("zoom-out").addEventListener("click", () => this.zoom.by(1 / ZOOM_STEP));
    byId("zoom-reset").addEventListener("click", () => this.zoom.reset());
  }

  /** @param {Question} question @param {HTMLImageElement} img decoded */
  show(question, img) {
    this.#question = question;
    this.#img = img;
    this.#original = "";
    this.empty.hidden = true;
    byId("zoom-tools").hidden = false;
    fitImage(img, this.picture);
    this.picture.replaceChildren(img);
    this.picture.dataset.item = String(question.item);
    this.zoom.attach(img);
    setText(byId("item-name"), question.name);
    byId("item-name").title = question.name;
    this.showFlag(question);
  }

  /** @param {Question|null} question */
  showFlag(question) {
    const flag = question?.flag ?? null;
    byId("flag").setAttribute("aria-pressed", String(Boolean(flag)));
    byId("flag-note").hidden = !flag;
    setText(byId("flag-note"), flag ? `⚑ ${flag.note || "flagged"}` : "");
  }

  /** A key of the stage. @param {KeyboardEvent} event @returns {boolean} whether it is one */
  onKey({ key, shiftKey }) {
    const arrows = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
    if (shiftKey && key in arrows) this.zoom.pan(...arrows[key]);
    else if (key === "+" || key === "=") this.zoom.by(ZOOM_STEP);
    else if (key === "-" || key === "_") this.zoom.by(1 / ZOOM_STEP);
    else if (key === "0") this.zoom.reset();
    else return false;
    return true;
  }

  /** @param {number} scale */
  #onZoom(scale) {
    setText(byId("zoom-reset"), `${Math.round(scale * 100)} %`);
    const img = this.#img;
    if (!img || !this.#question || scale === 1 || this.#original === this.#question.media || !isReduced(img)) return;
    if (img.clientWidth * scale * devicePixelRatio > img.naturalWidth) this.#showOriginal(img, this.#question);
  }

  /** Every pixel there is, once one looks closer than the picture that came first.
   * @param {HTMLImageElement} reduced @param {Question} question */
  async #showOriginal(reduced, { media, name }) {
    this.#original = media;
    try {
      const whole = await loadImage(media, name);
      if (this.#img !== reduced) return;
      whole.style.cssText = reduced.style.cssText;
      reduced.replaceWith(whole);
      this.#img = whole;
      this.zoom.replace(whole);
    } catch { /* the reduced one stays */ }
  }

  /** @param {string} text */
  wait(text) {
    this.empty.hidden = true;
    byId("zoom-tools").hidden = true;
    delete this.picture.dataset.item;
    this.#img = this.#question = null;
    this.zoom.attach(null);
    setText(byId("item-name"), "");
    this.showFlag(null);
    this.picture.replaceChildren(make("p", {}, text));
  }

  /** @param {string} text what was chosen, for a moment */
  flash(text) {
    setText(this.flashBox, text);
    this.flashBox.classList.add("shown");
    clearTimeout(this.#flashed);
    this.#flashed = window.setTimeout(() => this.flashBox.classList.remove("shown"), FLASH_MS);
    announce(text);
  }

  /** Nothing left to ask. @param {any} status the last one, or null @param {number} remaining */
  finished(status, remaining) {
    const { title, text } = emptyText(status, remaining);
    const proposed = status?.items.proposed ?? 0;
    const key = JSON.stringify([title, text, proposed]);
    if (!this.empty.hidden && this.empty.dataset.key === key) return; // links stay put under the pointer
    this.wait("");
    this.empty.dataset.key = key;
    this.empty.replaceChildren(
      make("h2", {}, title), make("p", {}, text),
      make("div", { class: "actions" },
        make("a", { class: proposed ? "button primary" : "button", href: "/review" }, proposed ? `Review ${proposed} proposed` : "Review"),
        make("a", { class: "button", href: "/api/export?format=csv", download: "" }, "Export CSV"),
        make("a", { class: "button", href: "/dataset" }, "Browse the dataset")));
    this.empty.hidden = false;
  }
}

/** @param {any} status @param {number} remaining */
function emptyText(status, remaining) {
  const items = status?.items;
  if (items?.total === 0) return { title: "No images yet", text: "The dataset folder holds no images. Put some there and press “Rescan folder” on the Dataset page." };
  if (remaining > 0) {
    const encoding = status?.training.state === "encoding"
      ? ` The images are being read: ${status.encoding?.done ?? 0} of ${status.encoding?.total ?? "?"}.`
      : " Someone else may be answering the last ones.";
    return { title: "One moment", text: `No question is ready for you yet.${encoding}` };
  }
  const left = [];
  if (items?.proposed) left.push(`${plural(items.proposed, "proposal")} to confirm`);
  if (items?.skipped) left.push(`${plural(items.skipped, "item")} skipped`);
  if (items?.broken) left.push(`${plural(items.broken, "broken file")}`);
  return { title: "Everything is labelled", text: left.length ? `Still open: ${left.join(", ")}.` : "Nothing is left to ask. Well done." };
}
