/** Taking the last action back, the same way on every page. */
import { postUndo } from "./api.js";
import { outbox } from "./outbox.js";
import { pollNow } from "./status.js";
import { toast, withdrawActions } from "./toast.js";
import { plural } from "./format.js";

const PATIENCE_MS = 8000;
let undoing = false;

export const isUndoing = () => undoing;

/**
 * Undo the last action on the server. What is still on its way goes first: it is the last action.
 * @returns {Promise<import("./api.js").Undone|null>} null when nothing was undone; the person has been told
 */
export async function undoLast() {
  if (undoing) return null;
  undoing = true;
  try {
    if (!await outbox.flush(PATIENCE_MS)) {
      toast("Could not undo: the server does not answer. Nothing was lost.", { level: "error" });
      return null;
    }
    const undone = await postUndo();
    withdrawActions();
    toast(undone.kind === "batch" ? `Undid a batch of ${undone.items.length}`
      : undone.kind === "accept" ? `Undid accepting ${undone.items.length}`
      : undone.kind === "bulk" ? `Undid the change of ${plural(undone.items.length, "item")}`
      : undone.kind === "clear" ? `Put back ${plural(undone.items.length, "label")}` : undone.items.length > 1
      ? `Undid ${plural(undone.items.length, "answer")}` : "Undone");
    pollNow();
    return undone;
  } catch (error) {
    // never sent again by itself: if only the answer was lost, a second undo would take back one more
    toast(error.code === "nothing_to_undo" ? "There is nothing to undo." : `Could not undo: ${error.message}`,
      { level: error.code === "nothing_to_undo" ? "info" : "error" });
    return null;
  } finally {
    undoing = false;
  }
}
