/** One item of the Dataset page as a tile. */
import { make } from "./dom.js";
import { fileName } from "./filename.js";
import { percent } from "./format.js";
import { SOURCES } from "./itemfilter.js";
import { classDot } from "./task.js";

/** @typedef {import("./api.js").ListedItem} ListedItem */

/** @param {ListedItem} item @returns {{main: string, more: string, label: string|null}} */
export function describe(item) {
  if (item.state === "broken") return { main: "Broken", more: "", label: null };
  if (item.label) return { main: item.label, more: SOURCES[/** @type {keyof SOURCES} */ (item.source)] ?? item.source ?? "", label: item.label };
  if (item.proposal && item.state === "proposed") return { main: `${item.proposal.label}?`, more: percent(item.proposal.score), label: item.proposal.label };
  return { main: item.state === "skipped" ? "Skipped" : "Unlabelled", more: "", label: null };
}

/** @param {string} media @param {string|null} [reason] why it cannot be shown, if that is known */
export function thumbnail(media, reason = null) {
  const box = make("span", { class: "tile-picture" });
  const say = (/** @type {string} */ text) => make("span", { class: "tile-reason" }, text);
  if (reason !== null) {
    box.append(say(reason));
    return box;
  }
  const img = make("img", { alt: "", decoding: "async", draggable: "false" });
  img.addEventListener("load", () => img.classList.toggle("pixelated", Math.max(img.naturalWidth, img.naturalHeight) <= 128));
  img.addEventListener("error", () => img.replaceWith(say("cannot be shown")));
  img.src = `${media}?width=256`;
  box.append(img);
  return box;
}

/** What the present order or filter is about. @param {ListedItem} item @param {{guess: boolean, score: boolean}} shown */
function remark(item, shown) {
  if (item.similarity !== null && item.similarity !== undefined) return `${percent(Math.max(0, item.similarity), 0)} alike`;
  if (item.guess && shown.guess) return `model: ${item.guess.label} ${percent(item.guess.score, 0)}`;
  if (item.guess && shown.score) return `model ${percent(item.guess.score, 0)} sure`;
  return null;
}

/**
 * Shows an item in a cell; the picture stays if it is the same item still.
 * @param {HTMLElement} cell @param {ListedItem|undefined} item undefined while it is on its way
 * @param {string[]} classes names in config order @param {{guess: boolean, score: boolean}} shown
 */
export function fillTile(cell, item, classes, shown) {
  if (!item) {
    delete cell.dataset.item;
    cell.className = "tile tile-waiting";
    cell.setAttribute("aria-label", "Loading");
    cell.replaceChildren();
    return;
  }
  const { main, more, label } = describe(item);
  const note = remark(item, shown);
  const before = cell.dataset.item === String(item.item) ? cell.querySelector(".tile-picture") : null;
  cell.dataset.item = String(item.item);
  cell.className = `tile state-${item.state}`;
  cell.title = item.flag?.note ? `${item.name}\nFlagged: ${item.flag.note}` : item.name;
  cell.removeAttribute("aria-label");
  cell.replaceChildren(
    before ?? thumbnail(item.media, item.state === "broken" ? item.reason ?? "cannot be read" : null),
    make("span", { class: "tile-tick", "aria-hidden": "true" }),
    ...(note ? [make("span", { class: "tile-note" }, note)] : []),
    ...(item.flag ? [make("span", { class: "tile-flag" }, make("span", { "aria-hidden": "true" }, "⚑"), make("span", { class: "sr-only" }, "flagged"))] : []),
    make("span", { class: "tile-text" },
      make("span", { class: "tile-state" }, label ? classDot(classes.indexOf(label)) : null, make("b", {}, main), more ? make("small", {}, more) : null),
      make("span", { class: "item-name" }, fileName(item.name))));
}
