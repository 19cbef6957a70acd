/** The Dataset page: browse, filter, search, and set labels one by one. */
import { getItems, postRescan } from "./api.js";
import { byId, debounce, make, setText } from "./dom.js";
import { ItemDialog } from "./itemdialog.js";
import { onShortcuts } from "./keys.js";
import { plural } from "./format.js";
import { startShell } from "./shell.js";
import { onStatus, pollNow } from "./status.js";
import { makeTile } from "./tiles.js";
import { toast } from "./toast.js";
import { undoLast } from "./undo.js";

/** @typedef {import("./api.js").ListedItem} ListedItem */

const PAGE = 100;
const STATES = ["all", "labelled", "unlabelled", "proposed", "skipped", "broken"];

const fromUrl = new URLSearchParams(location.search);
const filter = { state: STATES.includes(fromUrl.get("state") ?? "") ? String(fromUrl.get("state")) : "all", label: fromUrl.get("label") ?? "", q: fromUrl.get("q") ?? "" };
/** @type {ListedItem[]} */ let items = [];
/** @type {string[]} */ let classes = [];
/** @type {ItemDialog} */ let dialog;
let total = 0;
let asked = 0; // counts requests: only the answer to the newest is shown
let isLoading = false;
let closeToast = () => {};

/** @param {number} item @returns {Element|null} */
const tileOf = (item) => byId("tiles").querySelector(`[data-item="${item}"]`);

function renderFilter() {
  for (const button of byId("states").children) button.setAttribute("aria-pressed", String(button.dataset.state === filter.state));
  byId("class-filter").value = filter.label;
  const kept = new URLSearchParams(Object.entries(filter).filter(([name, value]) => value && !(name === "state" && value === "all")));
  history.replaceState(null, "", kept.size ? `?${kept}` : location.pathname);
}

/** @param {number} offset 0 starts the list anew */
async function load(offset) {
  if (offset && isLoading) return;
  asked += 1;
  const mine = asked;
  isLoading = true;
  try {
    const query = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
    const answer = await getItems({ ...query, offset, limit: PAGE });
    if (mine !== asked) return;
    total = answer.total;
    if (!offset) { items = []; byId("tiles").replaceChildren(); }
    const known = new Set(items.map(({ item }) => item));
    const fresh = answer.items.filter(({ item }) => !known.has(item)); // the list may have moved meanwhile
    items.push(...fresh);
    byId("tiles").append(...fresh.map((item) => makeTile(item, classes, () => dialog.open(item))));
    byId("more").hidden = offset + answer.items.length >= total || !answer.items.length;
    setText(byId("shown"), total ? `Showing ${items.length} of ${plural(total, "item")}` : "No item matches this filter.");
  } catch (error) {
    if (mine === asked) toast(`Could not list the items: ${error.message}`, { level: "error" });
    if (mine === asked) byId("more").hidden = false;
  } finally {
    if (mine === asked) isLoading = false;
  }
}

const reload = () => { renderFilter(); return load(0); };

async function rescan() {
  const button = byId("rescan");
  button.disabled = true;
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
  button.disabled = false;
}

function makeFilters() {
  byId("states").replaceChildren(...STATES.map((state) => make("button", {
    type: "button", "data-state": state, "aria-pressed": "false",
    onclick: () => { filter.state = state; reload(); },
  }, make("span", {}, state[0].toUpperCase() + state.slice(1)), make("small", { "data-count": state }))));
  byId("class-filter").append(...classes.map((name) => make("option", { value: name }, name)));
  byId("class-filter").addEventListener("change", () => { filter.label = byId("class-filter").value; reload(); });
  byId("search").value = filter.q;
  byId("search").addEventListener("input", debounce(() => { filter.q = byId("search").value.trim(); reload(); }, 250));
}

/** @param {any} status */
function renderCounts({ items: counts }) {
  for (const small of byId("states").querySelectorAll("small")) {
    const count = counts[small.dataset.count === "all" ? "total" : small.dataset.count];
    setText(small, count === undefined ? "" : String(count));
  }
}

function makeDialog(/** @type {import("./api.js").LabelClass[]} */ labelClasses) {
  return new ItemDialog(labelClasses, {
    changed: (item) => {
      tileOf(item.item)?.replaceWith(makeTile(item, classes, () => dialog.open(item)));
      closeToast();
      closeToast = toast(`Labelled as ${item.label}`, { action: { text: "Undo", run: undo } });
    },
    step: (item, by) => items[items.indexOf(item) + by] ?? null,
    closed: (item) => tileOf(item.item)?.querySelector("button")?.focus(),
  });
}

async function undo() {
  closeToast();
  if (!await undoLast()) return;
  const open = byId("item-dialog").open ? dialog.item : null;
  await reload();
  const again = open && items.find(({ item }) => item === open.item);
  if (again) dialog.open(again);
  else byId("item-dialog").close();
}

async function start() {
  const task = await startShell();
  classes = task.label.classes.map(({ name }) => name);
  if (!classes.includes(filter.label)) filter.label = "";
  dialog = makeDialog(task.label.classes);
  makeFilters();
  onStatus(renderCounts);
  onShortcuts({ undo });
  byId("rescan").addEventListener("click", rescan);
  byId("more").addEventListener("click", () => load(items.length));
  new IntersectionObserver(([entry]) => { if (entry.isIntersecting && !byId("more").hidden) load(items.length); },
    { rootMargin: "600px" }).observe(byId("more"));
  await reload();
}

start();
