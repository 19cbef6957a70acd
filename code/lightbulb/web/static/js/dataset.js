/** The Dataset page: every item to browse, filter, select and label; what looks wrong; adding images. */
import { BulkBar } from "./bulkbar.js";
import { BulkFlag } from "./bulkflag.js";
import { getAnnotators, getItem, postRescan } from "./datasetapi.js";
import { announce, byId, debounce, setText, settings } from "./dom.js";
import { DoubtsView } from "./doubts.js";
import { plural } from "./format.js";
import { FilterBar, queryOf, readAddress, VIEWS, writeAddress } from "./itemfilter.js";
import { ItemDialog } from "./itemdialog.js";
import { ItemGrid, MOST_AT_ONCE } from "./itemgrid.js";
import { onShortcuts } from "./keys.js";
import { startShell } from "./shell.js";
import { onStatus, pollNow } from "./status.js";
import { toast } from "./toast.js";
import { undoLast } from "./undo.js";
import { Uploader } from "./upload.js";

/** @typedef {import("./itemfilter.js").Values} Values @typedef {import("./api.js").ListedItem} ListedItem */

let values = readAddress();
/** @type {ItemGrid} */ let grid;
/** @type {FilterBar} */ let filterBar;
/** @type {BulkBar} */ let bulk;
/** @type {ItemDialog} */ let dialog;
/** @type {DoubtsView} */ let doubts;
/** @type {BulkFlag} */ let flagDialog;
let isStale = false; // the list is not as the server has it: something in the dialog changed
let isReady = false; // what is on screen is where the address says
/** @type {HTMLElement|null} what opened the dialog, if it was no tile */ let opener = null;
let openIndex = 0; // of the item in the dialog; the browser gives the focus back to the tile that it began with

/** @param {any} error */
const failed = (error) => toast(`Could not list the items: ${error.message}`, { level: "error" });

/** @param {number} [at] index of the item that should be in sight */
async function load(at = 0) {
  const isItems = values.view === "items";
  byId("items-view").hidden = byId("filters").hidden = !isItems;
  for (const button of byId("views").children) button.setAttribute("aria-pressed", String(button.dataset.view === values.view));
  filterBar.show(values);
  doubts.show(/** @type {any} */ (values.view));
  if (!isItems) return;
  try {
    if (!await grid.open(queryOf(values), at)) return;
    const { total } = grid.pages;
    setText(byId("shown"), total ? plural(total, "item") : "No item matches this filter.");
    isStale = false;
    isReady = true;
    if (values.like) nameLike(values.like);
  } catch (error) {
    failed(error);
  }
}

/** @param {string} item */
async function nameLike(item) {
  try {
    const { name, media } = await getItem(Number(item));
    setText(byId("like-name"), name);
    byId("like-picture").src = `${media}?width=64`;
  } catch { setText(byId("like-name"), `item ${item}`); }
}

/** @param {Partial<Values>} change @param {{isNew?: boolean}} [how] isNew: "Back" undoes it */
function filter(change, { isNew = false } = {}) {
  values = { ...values, at: "", ...change };
  isReady = false;
  writeAddress(values, { isNew });
  grid.selection.clear();
  grid.grid.active = 0;
  const isAbove = byId("filters").getBoundingClientRect().top <= 0;
  if (isAbove) scrollTo({ top: byId("tiles").getBoundingClientRect().top + scrollY - grid.grid.owner.stuck() - 8, behavior: "instant" });
  load();
}

/** @param {number} item */
const like = (item) => filter({ view: "items", state: "all", label: "", annotator: "", source: "", disagrees: "", q: "", sort: "", like: String(item) }, { isNew: true });

/** The list anew, with the same item at the top. */
const reload = () => load(values.view === "items" ? grid.grid.first : 0);

const rememberPlace = debounce(() => {
  if (!isReady || values.view !== "items") return;
  const at = scrollY > 0 ? grid.grid.first : 0;
  values.at = at ? String(at) : "";
  writeAddress(values);
}, 250);

/** @param {number} index */
async function openAt(index) {
  const item = await grid.pages.load(index);
  if (!item) return;
  opener = null;
  openIndex = index;
  dialog.open({ ...item });
}

function makeDialog(/** @type {import("./api.js").LabelClass[]} */ classes) {
  const at = (/** @type {number} */ by) => openIndex + by;
  return new ItemDialog(classes, {
    changed: (item, said) => {
      isStale = true;
      bulk.forget(); // its "Undo" would take this back by now
      grid.pages.update(item);
      announce(said);
    },
    canStep: (by) => opener === null && at(by) >= 0 && at(by) < grid.pages.total,
    step: async (by) => {
      const item = await grid.pages.load(at(by));
      if (item) openIndex = at(by);
      return item && { ...item };
    },
    closed: async () => {
      if (isStale) await reload();
      if (opener === null) grid.grid.focus(openIndex);
      else opener.focus();
    },
    like: (item) => like(item.item),
  });
}

/** @param {number} item @param {HTMLElement} from */
async function openItem(item, from) {
  try {
    opener = from;
    dialog.open(await getItem(item));
  } catch (error) { toast(error.message, { level: "error" }); }
}

/** What was done is selected no longer; what was selected since stays. @param {number[]} items */
async function afterBulk(items) {
  if (values.view !== "items") return;
  const hadFocus = byId("bulk").contains(document.activeElement);
  const done = new Set(items);
  grid.selection.keep((item) => !done.has(item));
  await reload();
  if (hadFocus && byId("bulk").hidden) grid.grid.focus(grid.grid.active);
}

async function undo() {
  bulk.forget();
  await bulk.settled(); // what is on its way is the last action
  if (!await undoLast()) return;
  if (byId("item-dialog").open) { isStale = true; await dialog.refresh(); }
  else await reload();
}

async function selectAll() {
  if (await grid.selectAll()) toast(`Only the first ${MOST_AT_ONCE} of ${grid.pages.total} are selected: no more can be changed in one step.`, { level: "error" });
}

async function rescan() {
  byId("rescan").disabled = true;
  setText(byId("rescan-result"), "Reading the folder…");
  try {
    const { added, vanished, changed, restored, broken } = await postRescan();
    setText(byId("rescan-result"), `${added} added, ${vanished} vanished, ${changed} changed, ${restored} restored, ${broken} broken`);
    pollNow();
    await reload();
  } catch (error) {
    setText(byId("rescan-result"), "");
    toast(`Rescan failed: ${error.message}`, { level: "error" });
  }
  byId("rescan").disabled = false;
}

/** @param {any} status */
function renderCounts({ items: counts }) {
  for (const small of byId("states").querySelectorAll("small")) setText(small, String(counts[small.dataset.count ?? ""] ?? ""));
}

/** @param {KeyboardEvent} event @returns {boolean} */
function onKey(event) {
  if (byId("item-dialog").open || byId("flag-dialog").open) return false;
  if (event.key === "/") { byId("search").focus(); byId("search").select(); }
  else if (values.view !== "items") return false;
  else if (event.key === "Escape" && grid.selection.size) grid.selection.clear();
  else if (event.key === "f" && grid.chosen.length) flagDialog.ask(grid.chosen);
  else if (event.key === "s" && grid.chosen.length) bulk.skip();
  else if (event.key === "Delete" && grid.chosen.length) bulk.remove();
  else return false;
  return true;
}

function listen() {
  byId("views").addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const view = /** @type {HTMLElement} */ (event.target).closest("button")?.dataset.view;
    if (view && VIEWS.includes(view) && view !== values.view) filter({ view }, { isNew: true });
  });
  byId("rescan").addEventListener("click", rescan);
  byId("select-all").addEventListener("click", selectAll);
  addEventListener("popstate", () => { values = readAddress(); isReady = false; grid.selection.clear(); load(Number(values.at)); });
  byId("search").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" || event.key === "Enter" || event.key === "ArrowDown") { event.preventDefault(); grid.grid.focus(grid.grid.first); }
  });
  document.addEventListener("keydown", (event) => {
    const isAll = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a" && !event.shiftKey && !event.altKey;
    if (!isAll || values.view !== "items" || document.querySelector("dialog[open]") || (event.target instanceof HTMLInputElement && event.target.type === "search")) return;
    event.preventDefault();
    selectAll();
  });
  const size = byId("size");
  size.value = settings.get("dataset-size", size.value);
  const resize = () => { const { first } = grid.grid; grid.grid.size = Number(size.value); grid.grid.startAt(first); };
  size.addEventListener("input", () => { settings.set("dataset-size", size.value); resize(); });
  grid.grid.size = Number(size.value);
}

async function start() {
  history.scrollRestoration = "manual"; // the list has no height before it is loaded
  const task = startShell();
  const { classes } = task.label;
  const names = classes.map(({ name }) => name);
  if (!names.includes(values.label)) values.label = "";
  grid = new ItemGrid(names, { open: openAt, selected: () => bulk.show(grid.selection.size), scrolled: rememberPlace, failed });
  filterBar = new FilterBar(names, filter);
  bulk = new BulkBar(classes, {
    chosen: () => grid.chosen, undo, flag: (items) => flagDialog.ask(items), like, clear: () => { grid.selection.clear(); grid.grid.focus(grid.grid.active); },
    open: () => openItem(grid.chosen[0], byId("bulk-open")),
    again: () => openAt(grid.grid.active), done: afterBulk,
  });
  flagDialog = new BulkFlag((items, note, isOn) => bulk.flag(items, note, isOn));
  dialog = makeDialog(classes);
  doubts = new DoubtsView(names, { save: (labels, said) => bulk.together(labels, said), open: openItem });
  new Uploader(task.uploads, reload);
  listen();
  onStatus(renderCounts);
  onShortcuts({ undo, classes, choose: ({ name }) => { if (!document.querySelector("dialog[open]") && values.view === "items") bulk.label(name); }, other: onKey });
  getAnnotators().then(({ annotators }) => filterBar.setAnnotators(annotators)).catch(() => { /* the filter has one choice less */ });
  await load(Number(values.at));
}

start();
