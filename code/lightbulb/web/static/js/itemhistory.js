/** Everything that became of an item, the newest first, in words. */
import { make } from "./dom.js";
import { SOURCES } from "./itemfilter.js";

/** @typedef {import("./datasetapi.js").ItemWithHistory} ItemWithHistory */

const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
/** @param {string} iso */
const dated = (iso) => make("time", { datetime: iso }, when.format(new Date(iso)));

/** @param {import("./datasetapi.js").PastLabel} past */
function saidOf(past) {
  if (past.kind === "clear") return "Label removed";
  if (past.value === null) return "Skipped";
  return past.value;
}

/** @param {string} at @param {string} title @param {(string|null)[]} more @param {string|null} undoneAt @param {boolean} inForce */
function entry(at, title, more, undoneAt, inForce) {
  const line = make("li", { class: `past${undoneAt ? " past-undone" : ""}`, "data-at": at },
    make("b", {}, title), inForce ? make("span", { class: "past-now" }, "in force") : null,
    make("span", { class: "past-more" }, `${more.filter(Boolean).join(", ")} · `, dated(at)));
  if (undoneAt) line.append(make("span", { class: "past-more" }, "undone ", dated(undoneAt)));
  return line;
}

/** @param {ItemWithHistory} item @returns {HTMLLIElement[]} */
export function historyLines(item) {
  const labels = item.history.map((past) => entry(past.created_at, saidOf(past), [
    past.value === null ? null : SOURCES[/** @type {keyof SOURCES} */ (past.source)] ?? past.source,
    past.kind === "bulk" ? "with others" : null, past.annotator,
    past.seconds === null ? null : `${past.seconds.toFixed(1)} s`,
  ], past.undone_at, past.in_force));
  const refusals = item.refusals.map((past) => entry(past.created_at, `Not ${past.label}`, ["refused in Review", past.annotator], past.undone_at, false));
  const flags = item.flags.map((flag) => entry(flag.at, flag.flagged ? `Flagged${flag.note ? `: ${flag.note}` : ""}` : "Flag taken off", [flag.annotator], null, false));
  return [...labels, ...refusals, ...flags].sort((a, b) => (a.dataset.at < b.dataset.at ? 1 : a.dataset.at > b.dataset.at ? -1 : 0));
}
