/** What every page starts with: the top bar, the banners, and the delivery of unsent answers. */
import { readTask } from "./api.js";
import { clientId } from "./client.js";
import { outbox } from "./outbox.js";
import { onStatus, pollNow, startPolling } from "./status.js";
import { toast } from "./toast.js";
import { renderTopbar } from "./topbar.js";

/** @returns {import("./api.js").Task} */
export function startShell() {
  const task = readTask();
  onStatus(renderTopbar);
  startPolling();
  outbox.addEventListener("saved", pollNow);
  outbox.addEventListener("refused", (event) => {
    const { row, message } = /** @type {CustomEvent} */ (event).detail;
    toast(`Not saved: ${row.name}: ${message}`, { level: "error" });
  });
  outbox.start(task.pool, clientId);
  return task;
}
