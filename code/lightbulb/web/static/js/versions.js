/** The versions that are kept: roll-back, and its end. */
import { postRelease, postServe } from "./api.js";
import { classDot } from "./task.js";
import { byId, make, setText } from "./dom.js";
import { accuracyText, bytesText, percent } from "./format.js";
import { pollNow } from "./status.js";
import { table } from "./svg.js";
import { toast } from "./toast.js";

/** @typedef {import("./api.js").Version} Version */

/** @param {() => Promise<any>} ask @param {() => Promise<void>} changed */
async function change(ask, changed) {
  try {
    await ask();
  } catch (error) {
    toast(error.message, { level: "error" });
  }
  pollNow();
  await changed();
}

/**
 * @param {{models: Version[], pinned: number|null, serving: number|null}} found @param {() => Promise<void>} changed
 */
export function showVersions({ models, pinned, serving }, changed) {
  const box = byId("versions");
  const focused = /** @type {HTMLElement|null} */ (box.contains(document.activeElement) ? document.activeElement : null)?.dataset.key;
  const actions = (/** @type {Version} */ { version }) => make("span", { class: "version-actions" },
    version === serving ? make("strong", { class: "badge" }, pinned === version ? "serves, chosen" : "serves")
      : make("button", { type: "button", "data-key": `serve-${version}`, disabled: version === pinned, "aria-label": `Let model ${version} serve`, onclick: () => change(() => postServe(version), changed) },
        version === pinned ? "Changing over…" : "Let it serve"),
    make("a", { class: "button", "data-key": `zip-${version}`, href: `/api/models/${version}/download`, download: "", "aria-label": `Download model ${version}` }, "Download"));
  box.replaceChildren(table("Versions that are kept", ["Model", "Labels", "Accuracy", "Made", "Fitted in", "Size", "Roll back"], models.map((one) => [
    String(one.version), String(one.labels), one.accuracy ? `${accuracyText(one.accuracy)}, n = ${one.accuracy.n}` : "–",
    new Date(one.created_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }),
    one.seconds === null ? "–" : `${one.seconds.toFixed(2)} s`, bytesText(one.bytes), actions(one),
  ])));
  if (focused) /** @type {HTMLElement|null} */ (box.querySelector(`[data-key="${focused}"]`) ?? box).focus();
  byId("pinned").hidden = pinned === null;
  if (pinned !== null) {
    setText(byId("pinned-text"), pinned === serving ? `Model ${pinned} serves until you follow the newest again. Nothing is learnt meanwhile.`
      : `Changing over to model ${pinned}…`);
  }
}

/** @param {() => Promise<void>} changed */
export function listenForRelease(changed) {
  byId("release").addEventListener("click", async () => {
    await change(postRelease, changed);
    byId("model-title").focus(); // the button is gone
  });
}

/** @param {import("./api.js").ClassRow[]} classes */
export function showClasses(classes) {
  const share = (/** @type {number|null} */ value) => (value === null ? make("span", { title: "nothing to measure it on" }, "–") : percent(value));
  byId("class-table").replaceChildren(table("Precision and recall by class", ["Class", "Labels", "Precision", "Recall", "n", "Proposes from"],
    classes.map(({ name, labels, precision, recall, n, threshold }, index) => [
      make("span", { class: "class-cell" }, classDot(index), make("span", {}, name)), String(labels), share(precision), share(recall), String(n),
      threshold < 1 ? percent(threshold) : make("span", { title: "it proposes none yet" }, "–"),
    ])));
}
