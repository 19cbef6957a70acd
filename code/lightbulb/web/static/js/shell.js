/** What every page starts with: the top bar, the banners, and the delivery of unsent answers. */
import { readTask } from "./api.js";
import { clientId } from "./client.js";
import { learnNames } from "./names.js";
import { outbox } from "./outbox.js";
import { showSetAside } from "./setaside.js";
import { onStatus, pollNow, startPolling } from "./status.js";
import { toast } from "./toast.js";
import { renderTopbar } from "./topbar.js";

/** @returns {import("./api.js").Task} */
export function startShell() {
  const task = readTask();
  learnNames(task.label.classes.map(({ name }) => name));
  onStatus(renderTopbar);
  startPolling();
  outbox.addEventListener("saved", pollNow);
  outbox.addEventListener("refused", (event) => {
    const { row, message } = /** @type {CustomEvent} */ (event).detail;
    toast(`Not saved: ${row.name}: ${message}`, { level: "error" });
  });
  showSetAside();
  // a browser may bring a page back as it was left: its questions may be answered by now
  window.addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });
  outbox.start(task.pool, clientId);
  return task;
}
