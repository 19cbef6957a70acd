/** What every page starts with: the top bar, the banners, and the delivery of unsent answers. */
import { clientId } from "./client.js";
import { outbox } from "./outbox.js";
import { showSetAside } from "./setaside.js";
import { onStatus, pollNow, startPolling } from "./status.js";
import { loadTask } from "./task.js";
import { toast } from "./toast.js";
import { renderTopbar } from "./topbar.js";

/** @returns {Promise<import("./api.js").Task>} */
export async function startShell() {
  onStatus(renderTopbar);
  startPolling();
  outbox.addEventListener("saved", pollNow);
  outbox.addEventListener("refused", (event) => {
    const { row, message } = /** @type {CustomEvent} */ (event).detail;
    toast(`Not saved: ${row.name}: ${message}`, { level: "error" });
  });
  showSetAside();
  const task = await loadTask();
  outbox.start(task.pool, clientId);
  return task;
}
