/** What was accepted without a look and is not borne out any more: why, and the two ways on. */
import { postTakeBack } from "./api.js";
import { announce, byId, make } from "./dom.js";
import { plural } from "./format.js";
import { pollNow } from "./status.js";
import { toast } from "./toast.js";

/** @typedef {import("./api.js").Lapsed} Lapsed */
/** @typedef {{check: (audit: number) => void, taken: () => Promise<void>, undo: () => void}} Page */

let shown = "";
let isBusy = false;

/** @param {Lapsed} lapsed @returns {string} */
function reasons({ audited, wrong, withdrawn, found, removed }) {
  const said = [];
  if (wrong) said.push(`${wrong} of the ${audited} checked ${wrong === 1 ? "is" : "are"} wrong`);
  if (withdrawn) said.push(`${withdrawn} ${wrong ? "" : `of the ${audited} checked `}no longer ${withdrawn === 1 ? "counts" : "count"} as checked`);
  if (found) said.push(`${found} of those accepted ${found === 1 ? "was" : "were"} found wrong`);
  if (removed) said.push(`${removed} of those accepted ${removed === 1 ? "has" : "have"} no label any more`);
  return said.join(", ");
}

/** @param {Lapsed} lapsed */
function lapsedText(lapsed) {
  const { label, labels, allowed, most } = lapsed;
  const verdict = most === null ? "More are wrong than the check allowed for."
    : `Up to ${most} of what was accepted may be wrong, rather than ${allowed}.`;
  return `“${label}”: ${plural(labels, "label")} accepted without a look can no longer be relied on: ${reasons(lapsed)}. ${verdict}`;
}

/** @param {Lapsed[]} all @param {Page} page */
export function renderLapsed(all, page) {
  const key = JSON.stringify(all);
  if (key === shown) return; // who is about to press a button keeps it
  shown = key;
  byId("lapsed").replaceChildren(...all.map((each) => makeBox(each, page)));
  if (all.length) announce(all.map(lapsedText).join(" "));
}

/** @param {Lapsed} lapsed @param {Page} page */
function makeBox(lapsed, page) {
  const { audit, label, labels, to_check: count } = lapsed;
  return make("div", { class: "offer lapsed", role: "group", "aria-label": `Accepted as ${label}`, "data-label": label },
    make("p", { class: "offer-text" }, lapsedText(lapsed)),
    make("p", { class: "actions" },
      count ? make("button", { type: "button", class: "primary check", onclick: () => page.check(audit) }, `Check ${count} more`) : null,
      make("button", { type: "button", class: "take-back", onclick: () => takeBack(lapsed, page) }, `Take ${plural(labels, "label")} back`)));
}

/** @param {Lapsed} lapsed @param {Page} page */
async function takeBack({ audit, label }, page) {
  if (isBusy) return;
  isBusy = true;
  try {
    const { removed } = await postTakeBack(audit);
    toast(`Took ${plural(removed, "label")} “${label}” back`, { action: { text: "Undo", run: page.undo } });
    pollNow();
  } catch (error) {
    toast(error.isPassing ? `Not taken back: ${error.message} Try again.` : error.message, { level: "error" });
  }
  isBusy = false;
  await page.taken();
}
