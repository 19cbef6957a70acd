/** The Review page: confirm a batch of proposals of one class at a time. */
import { getNextBatch, postBatch, postCheck } from "./api.js";
import { setProblem } from "./banners.js";
import { BatchGrid } from "./batchgrid.js";
import { clientId } from "./client.js";
import { announce, byId, make, setText, sleep } from "./dom.js";
import { percent, plural } from "./format.js";
import { keysDialog, REVIEW_KEYS } from "./keysdialog.js";
import { onShortcuts } from "./keys.js";
import { renderLapsed } from "./lapsed.js";
import { shortName } from "./names.js";
import { renderAudit, renderOffers } from "./offer.js";
import { outbox } from "./outbox.js";
import { Preview } from "./preview.js";
import { chooseAnyClass, chosenOrder, listenToClass, listenToOrder, listenToSize, renderBrush, renderClassCounts, sizeKey, wantedClass } from "./reviewtools.js";
import { startShell } from "./shell.js";
import { onStatus, pollNow } from "./status.js";
import { Stopwatch } from "./stopwatch.js";
import { fetchAhead } from "./thumbnails.js";
import { toast } from "./toast.js";
import { isUndoing, undoLast } from "./undo.js";

const ASK_AGAIN_MS = 3000;
const LONGEST_WAIT_MS = 8000;
const KEYS_NAMED = 3;
const LONGEST_NAME = 20; // characters
const SHORTEST_LOOK_MS = 300; // a second press of Enter must not confirm what nobody has seen

const stopwatch = new Stopwatch();
const grid = new BatchGrid(byId("grid"), { changed: renderCount, peek: (cell) => preview.open(cell), brush: () => byId("brush").value || null });
const preview = new Preview(grid, () => batch?.label ?? "");
/** @type {import("./api.js").Batch|null} */ let batch = null;
/** @type {import("./api.js").Task} */ let task;
/** @type {string[]} */ let classes = [];
let isBusy = false;
let isLoaded = false; // the thumbnails are there to be looked at
let isAnswered = false; // what is still shown is confirmed, and the next is on its way
let retry = 0;
let asked = 0; // counts requests for a batch: only the answer to the newest is shown
let closeToast = () => {};
let showKeys = () => {};

/** Nobody confirms what they have not seen. */
const canConfirm = () => !isBusy && !isAnswered && isLoaded && grid.unseen === 0;

function renderCount() {
  const ticked = grid.cells.length - grid.rejected.length;
  const { unseen } = grid;
  setText(byId("batch-selected"), `${ticked} selected`);
  setText(byId("confirm-text"), !isLoaded ? "Loading…" : unseen ? `Waiting for ${plural(unseen, "image")}` : `Confirm ${ticked}`);
  byId("confirm").disabled = !canConfirm();
  preview.render();
}

/** What is said of the batch. @param {import("./api.js").Batch} next */
function renderHead(next) {
  byId("headline").replaceChildren("Unselect everything that is not a ", make("em", {}, `“${next.label}”`));
  setText(byId("batch-count"), next.audit ? `${next.items.length} of ${next.candidates} proposed`
    : `${next.items.length} to check, for ${plural(next.candidates, "label")} accepted without a look`);
  renderAudit(next.audit, task.confidence);
  renderBrush(classes, next.label);
}

/** @param {import("./api.js").Batch} next */
async function show(next) {
  isAnswered = false; // also of the same batch, after an undo
  // after an undo, say: what a person has changed of it stays
  const chosen = batch?.label === next.label ? grid.chosen : undefined;
  if (batch?.batch === next.batch && isShown(next.items)) {
    renderHead(Object.assign(batch, next));
    renderCount();
    return;
  }
  batch = next;
  isLoaded = false;
  preview.close();
  byId("nothing").hidden = true;
  byId("batch").hidden = false;
  byId("batch").dataset.batch = String(next.batch);
  renderHead(next);
  const hadFocus = document.activeElement;
  const items = next.items.map((item, place) => ({ ...item, place }));
  const loaded = grid.show(items.sort(chosenOrder()), chosen);
  renderCount();
  window.scrollTo({ top: 0 });
  if (!hadFocus || hadFocus === document.body || !hadFocus.isConnected || hadFocus.matches("#confirm, .check")) grid.focusFirst();
  stopwatch.restart();
  announce(`${next.items.length} ${next.audit ? "proposed as" : "to check as"} ${next.label}`);
  await Promise.race([Promise.all([loaded, sleep(SHORTEST_LOOK_MS)]), sleep(LONGEST_WAIT_MS)]);
  if (batch !== next) return;
  isLoaded = true;
  renderCount();
  fetchAhead(next.ahead, grid.thumbnailWidth);
}

/** Whether these are the items on the screen. @param {import("./api.js").BatchItem[]} items */
function isShown(items) {
  const shown = new Set(grid.cells.map(({ item }) => item.item));
  return items.length === shown.size && items.every(({ item }) => shown.has(item));
}

function showNothing() {
  batch = null;
  preview.close();
  byId("batch").hidden = true;
  byId("nothing").hidden = false;
  const label = wantedClass();
  byId("any-class").hidden = !label;
  setText(byId("nothing-title"), label ? `Nothing proposed as “${label}”` : "Nothing to confirm yet");
}

/** @param {string} label the class to review; "" for whichever has most proposals */
const loadNext = (label = wantedClass()) => load(() => getNextBatch(clientId, label));

/** What was accepted on an audit is looked at after all. @param {number} audit */
function check(audit) {
  if (!isBusy) load(() => postCheck(audit, clientId));
}

/** @param {() => Promise<import("./api.js").Batch>} ask for the batch to show */
async function load(ask) {
  clearTimeout(retry);
  asked += 1;
  const mine = asked;
  try {
    await outbox.flush(2000); // a label given a moment ago must not come back as a proposal
    const next = await ask();
    if (mine !== asked) return;
    setProblem("batch", null);
    renderOffers(next.certificates, task.confidence, { accepted: loadNext, undo });
    if (next.batch !== null && next.items.length) { await show(next); return; }
    showNothing();
  } catch (error) {
    if (mine !== asked) return;
    // a banner, not a toast: this is asked again every few seconds
    if (!error.isNetwork) setProblem("batch", `No batch can be shown: ${error.message}`);
    if (!batch) byId("batch").hidden = true;
  }
  retry = window.setTimeout(() => loadNext(), ASK_AGAIN_MS);
}

async function confirm() {
  if (!batch?.batch || !canConfirm() || preview.isOpen) return;
  const { batch: id, label } = batch;
  isBusy = true;
  renderCount();
  let isDone = true;
  try {
    const rejected = grid.rejected;
    const { confirmed } = await postBatch(id, rejected, stopwatch.read());
    isAnswered = true;
    const relabelled = rejected.filter((each) => each.label !== null).length;
    const said = [`Confirmed ${confirmed} as ${label}`];
    if (relabelled) said.push(`${relabelled} relabelled`);
    if (rejected.length > relabelled) said.push(`${rejected.length - relabelled} set aside`);
    closeToast();
    closeToast = toast(said.join(", "), { action: { text: "Undo", run: undo } });
    pollNow();
  } catch (error) {
    isDone = !error.isPassing; // refused for good: go on; otherwise the ticks stay and Confirm tries again
    closeToast();
    closeToast = toast(isDone ? error.message : `Not confirmed: ${error.message} Your selection is kept; press Confirm to try again.`, { level: "error" });
  }
  isBusy = false;
  if (isDone) await loadNext();
  else renderCount();
}

async function undo() {
  if (isBusy || isUndoing()) return;
  closeToast();
  if (await undoLast()) await loadNext();
}

/** A class key on the pointed-at or focused cell. @param {import("./api.js").LabelClass} chosen */
function relabel({ name }) {
  const cell = grid.active;
  if (!batch || !cell) return;
  grid.set(cell, name === batch.label, name);
  announce(cell.element.getAttribute("aria-label") ?? "");
}

function listen() {
  byId("confirm").addEventListener("click", confirm);
  byId("undo").addEventListener("click", undo);
  byId("undo-empty").addEventListener("click", undo);
  byId("any-class").addEventListener("click", chooseAnyClass);
  listenToClass(classes, loadNext);
  listenToOrder(grid);
  listenToSize(grid);
  onStatus(({ items, proposed, lapsed }) => {
    renderClassCounts(proposed);
    renderLapsed(lapsed, { check, taken: loadNext, undo });
    if (batch || byId("nothing").hidden || !items.proposed || isBusy) return;
    if (!wantedClass() || proposed[wantedClass()]) loadNext(); // proposals have just come
  });
  showKeys = keysDialog(task.label.classes, REVIEW_KEYS);
  byId("keys").addEventListener("click", () => showKeys());
  onShortcuts({ undo, classes: task.label.classes, choose: relabel, other, enabled: () => !byId("keys-dialog").open });
}

/** @param {KeyboardEvent} event @returns {boolean} whether the key was used */
function other({ key }) {
  if (key === "Enter") confirm();
  else if (key.toLowerCase() === "z") zoom();
  else if (key === "?") showKeys();
  else return sizeKey(key);
  return true;
}

function zoom() {
  if (preview.isOpen) preview.close();
  else if (grid.active) preview.open(grid.active);
}

async function start() {
  task = startShell();
  classes = task.label.classes.map(({ name }) => name);
  listen();
  setText(byId("nothing-text"), `The model proposes labels once it is sure enough (confidence ${percent(task.confidence, 0)}). They appear here by themselves.`);
  const keys = task.label.classes.filter(({ key }) => key);
  const named = keys.slice(0, KEYS_NAMED).map(({ key, name }) => (key === name ? key : `${key} for ${shortName(name, LONGEST_NAME)}`));
  if (keys.length > KEYS_NAMED) named.push("…");
  setText(byId("key-help"), `A class key (${named.join(", ")}) gives the image under the pointer or the focus that class.`);
  await loadNext();
}

start();
