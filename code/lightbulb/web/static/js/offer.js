/** What looking has shown of a class's proposals, and the offers to accept the rest of them without a look. */
import { postAcceptRest } from "./api.js";
import { announce, byId, make, setText } from "./dom.js";
import { percent, plural } from "./format.js";
import { pollNow } from "./status.js";
import { toast } from "./toast.js";

/** @typedef {import("./api.js").Audit} Audit @typedef {import("./api.js").Certificate} Certificate */

/** What "Keep checking" was said to: of each certificate the state it was in. @type {Set<string>} */
const dismissed = new Set();
let shown = "";
let isBusy = false;

/** @param {Certificate} certificate */
const keyOf = ({ label, audit }) => `${audit.audited} ${audit.rest} ${label}`;

/**
 * What looking has shown so far, in words.
 * @param {Audit|null} audit @param {number} confidence
 */
export function auditText(audit, confidence) {
  if (!audit) return "";
  const { audited, wrong, rest, needed, certified } = audit;
  const checked = audited ? `${audited} checked, ${wrong} wrong` : "";
  if (certified) return `${checked}: at least ${percent(confidence, 0)} of the other ${rest} are right (95 % sure)`;
  const left = `${needed} more to check, if all are right, before the rest can be accepted at once`;
  if (needed) return audited ? `${checked}: ${left}` : left;
  return audited ? `${checked}: no certificate for this set, each one is checked by eye`
    : "Too few for a certificate: each one is checked by eye";
}

/** How far the audit has come, as a bar and in words. @param {Audit|null} audit @param {number} confidence */
export function renderAudit(audit, confidence) {
  setText(byId("audit-text"), auditText(audit, confidence));
  const bar = byId("audit-progress");
  const isRunning = Boolean(audit && (audit.certified || audit.needed));
  bar.hidden = !isRunning;
  if (!audit || !isRunning) return;
  bar.max = audit.certified ? 1 : audit.audited + (audit.needed ?? 0);
  bar.value = audit.certified ? 1 : audit.audited;
}

/**
 * An offer for each certificate that stands, but for those that the person would rather go on checking.
 * @param {Certificate[]} certificates @param {number} confidence @param {{accepted: () => Promise<void>, undo: () => void}} page
 */
export function renderOffers(certificates, confidence, page) {
  const open = certificates.filter((each) => !dismissed.has(keyOf(each)));
  const key = JSON.stringify(open);
  if (key === shown) return; // who is about to press a button keeps it
  shown = key;
  byId("offers").replaceChildren(...open.map((each) => makeOffer(each, confidence, page)));
  if (open.length) announce(open.map((each) => offerText(each, confidence)).join(" "));
}

/** @param {Certificate} certificate @param {number} confidence */
const offerText = ({ label, audit: { audited, wrong, rest } }, confidence) =>
  `${audited} checked, ${wrong} wrong: at least ${percent(confidence, 0)} of the other ${rest} are “${label}” (95 % sure).`;

/** @param {Certificate} certificate @param {number} confidence @param {{accepted: () => Promise<void>, undo: () => void}} page */
function makeOffer(certificate, confidence, page) {
  const { label, audit } = certificate;
  const box = make("div", { class: "offer", role: "group", "aria-label": `Accept the rest of ${label}`, "data-label": label },
    make("p", { class: "offer-text" }, offerText(certificate, confidence)),
    make("p", { class: "actions" },
      make("button", { type: "button", class: "primary accept", onclick: () => accept(certificate, page) }, `Accept the other ${audit.rest}`),
      make("button", { type: "button", class: "dismiss", onclick: () => { dismissed.add(keyOf(certificate)); box.remove(); } }, "Keep checking")));
  return box;
}

/** @param {Certificate} certificate @param {{accepted: () => Promise<void>, undo: () => void}} page */
async function accept({ batch, label }, page) {
  if (isBusy) return;
  isBusy = true;
  try {
    const { certified } = await postAcceptRest(batch);
    toast(`Accepted ${plural(certified, "item")} as ${label}`, { action: { text: "Undo", run: page.undo } });
    pollNow();
  } catch (error) {
    toast(error.isPassing ? `Not accepted: ${error.message} Try again.` : error.message, { level: "error" });
  }
  isBusy = false;
  await page.accepted();
}
