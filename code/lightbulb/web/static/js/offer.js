/** Review's offer to accept the rest of a certified audit without a look. */
import { postAcceptRest } from "./api.js";
import { announce, byId, setText } from "./dom.js";
import { percent } from "./format.js";
import { pollNow } from "./status.js";
import { toast } from "./toast.js";

/** @typedef {import("./api.js").Audit} Audit */
/** @type {{batch: number, label: string}|null} */ let offered = null;
let isBusy = false;

/** What looking has shown so far, in words. @param {Audit} audit */
export function auditText({ audited, wrong, needed, certified }) {
  if (!audited && !needed) return "";
  const checked = audited ? `${audited} checked, ${wrong} wrong` : "";
  const left = needed && !certified ? `${needed} more to check before the rest can be accepted at once` : "";
  return [checked, left].filter(Boolean).join("; ");
}

/**
 * Show the offer if the audit is certified; an offer already made stays until it is taken or dismissed.
 * @param {number} batch @param {string} label @param {Audit|null} audit @param {number} confidence
 */
export function offer(batch, label, audit, confidence) {
  if (!audit?.certified) {
    if (offered?.label === label) withdraw();
    return;
  }
  offered = { batch, label };
  const { audited, wrong, rest } = audit;
  const text = `${audited} checked, ${wrong} wrong: at least ${percent(confidence, 0)} of the other ${rest} are “${label}” (95 % sure).`;
  setText(byId("offer-text"), text);
  setText(byId("accept"), `Accept the other ${rest}`);
  byId("offer").hidden = false;
  announce(text);
}

export function withdraw() {
  offered = null;
  byId("offer").hidden = true;
}

/**
 * @param {() => Promise<void>} afterwards loads what is to be reviewed next
 * @param {() => void} undo
 */
export function listenToOffer(afterwards, undo) {
  byId("dismiss").addEventListener("click", withdraw);
  byId("accept").addEventListener("click", async () => {
    if (!offered || isBusy) return;
    isBusy = true;
    const { batch, label } = offered;
    try {
      const { certified } = await postAcceptRest(batch);
      toast(`Accepted ${certified} as ${label}`, { action: { text: "Undo", run: undo } });
      withdraw();
      pollNow();
    } catch (error) {
      toast(error.isPassing ? `Not accepted: ${error.message} Try again.` : error.message, { level: "error" });
      if (!error.isPassing) withdraw();
    }
    isBusy = false;
    await afterwards();
  });
}
