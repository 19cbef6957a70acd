/** Says what the server fails on again and again, and what a person can do about it. */
import { setProblem } from "./banners.js";
import { outbox } from "./outbox.js";
import { kindOf } from "./outboxrows.js";
import { toast } from "./toast.js";

/** @typedef {import("./outboxrows.js").Row} Row */

const MOST_NAMED = 5;

/** @type {Record<string, (row: any) => string>} */
const WHAT = {
  label: ({ label }) => label ?? "skipped",
  undo: () => "undo",
  flag: ({ flagged }) => (flagged ? "flag" : "flag taken off"),
};

/** @param {Row[]} rows e.g. `0017.png (Cat)` */
function named(rows) {
  const first = rows.slice(0, MOST_NAMED).map((row) => `${row.name} (${WHAT[kindOf(row)](row)})`).join(", ");
  return rows.length > MOST_NAMED ? `${first} and ${rows.length - MOST_NAMED} more` : first;
}

function drop() {
  const dropped = outbox.dropAside();
  toast(`Dropped: ${named(dropped)}`, { action: { text: "Keep", run: () => outbox.restoreAside(dropped) } });
}

export function showSetAside() {
  outbox.addEventListener("aside", () => {
    const rows = outbox.aside;
    const [is, it] = rows.length === 1 ? ["is", "it"] : ["are", "them"];
    const text = `${named(rows)} ${is} not saved: the server fails on ${it} again and again, saying “${rows.at(-1)?.aside}” `
      + `This browser keeps ${it}; everything else goes on.`;
    setProblem("aside", rows.length ? text : null, "error",
      [{ text: "Try again", run: () => outbox.retryAside() }, { text: "Drop", run: drop }]);
  });
}
