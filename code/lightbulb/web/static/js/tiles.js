/** One item of the Dataset page as a tile. */
import { make } from "./dom.js";
import { percent } from "./format.js";
import { classDot } from "./task.js";

/** @typedef {import("./api.js").ListedItem} ListedItem */

const SOURCES = { human: "by hand", confirmed: "confirmed", certified: "certified", imported: "imported" };

/** @param {ListedItem} item @returns {{main: string, more: string, label: string|null}} */
export function describe(item) {
  if (item.state === "broken") return { main: "Broken", more: "", label: null };
  if (item.label) return { main: item.label, more: SOURCES[/** @type {keyof SOURCES} */ (item.source)] ?? item.source ?? "", label: item.label };
  if (item.proposal && item.state === "proposed") return { main: `${item.proposal.label}?`, more: percent(item.proposal.score), label: item.proposal.label };
  return { main: item.state === "skipped" ? "Skipped" : "Unlabelled", more: "", label: null };
}

/** @param {ListedItem} item */
function picture(item) {
  const box = make("span", { class: "tile-picture" });
  const reason = (/** @type {string} */ text) => make("span", { class: "tile-reason" }, text);
  if (item.state === "broken") {
    box.append(reason(item.reason ?? "cannot be read"));
    return box;
  }
  const img = make("img", { alt: "", loading: "lazy", decoding: "async" });
  img.addEventListener("load", () => img.classList.toggle("pixelated", Math.max(img.naturalWidth, img.naturalHeight) <= 128));
  img.addEventListener("error", () => img.replaceWith(reason("cannot be shown")));
  img.src = `${item.media}?width=256`;
  box.append(img);
  return box;
}

/**
 * @param {ListedItem} item @param {string[]} classes names in config order @param {() => void} open
 * @returns {HTMLLIElement}
 */
export function makeTile(item, classes, open) {
  const { main, more, label } = describe(item);
  return make("li", { "data-item": item.item },
    make("button", { type: "button", class: `tile state-${item.state}`, title: item.name, onclick: open },
      picture(item),
      make("span", { class: "tile-text" },
        make("span", { class: "tile-state" }, label ? classDot(classes.indexOf(label)) : null, make("b", {}, main), more ? make("small", {}, more) : null),
        make("span", { class: "item-name" }, item.name))));
}
