/** The large picture on the Label page, its caption, and what stands there when there is none. */
import { announce, byId, make, setText } from "./dom.js";
import { percent, plural } from "./format.js";
import { fitImage, keepFitted } from "./picture.js";

/** @typedef {import("./api.js").Question} Question */

export class Stage {
  constructor() {
    this.picture = byId("picture");
    this.flashBox = byId("flash");
    this.empty = byId("empty");
    keepFitted(this.picture);
  }

  /** @param {Question} question @param {HTMLImageElement} img decoded */
  show(question, img) {
    this.empty.hidden = true;
    this.picture.replaceChildren(img);
    this.picture.dataset.item = String(question.item);
    fitImage(img, this.picture);
    setText(byId("item-name"), question.name);
    byId("item-name").title = question.name;
    this.showGuess(question);
  }

  /** @param {Question|null} question */
  showGuess(question) {
    const guess = byId("show-guess").checked ? question?.guess : null;
    byId("guess").hidden = !guess;
    setText(byId("guess"), guess ? `model: ${guess.label} ${percent(guess.score, 0)}` : "");
  }

  /** @param {string} text */
  wait(text) {
    this.empty.hidden = true;
    delete this.picture.dataset.item;
    setText(byId("item-name"), "");
    this.showGuess(null);
    this.picture.replaceChildren(make("p", {}, text));
  }

  /** @param {string} text what was chosen, for a moment */
  flash(text) {
    setText(this.flashBox, text);
    this.flashBox.classList.remove("on");
    void this.flashBox.offsetWidth; // starts the animation anew
    this.flashBox.classList.add("on");
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
