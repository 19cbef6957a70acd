/** The Label page: one question after the other, answered by a key or a click. */
import { clientId, uuid } from "./client.js";
import { byId, settings, setText } from "./dom.js";
import { onShortcuts } from "./keys.js";
import { outbox } from "./outbox.js";
import { QuestionQueue } from "./questions.js";
import { startShell } from "./shell.js";
import { Stage } from "./stage.js";
import { onStatus } from "./status.js";
import { Stopwatch } from "./stopwatch.js";
import { classButtons } from "./task.js";
import { toast } from "./toast.js";
import { isUndoing, undoLast } from "./undo.js";

const MANY_CLASSES = 6;
const ASK_AGAIN_MS = 4000;
const DOUBLE_CLICK_S = 0.25;

const stage = new Stage();
const stopwatch = new Stopwatch();
const queue = new QuestionQueue(clientId, () => outbox.items);
/** @type {any} */ let status = null;
let isFinished = false;

function showNext() {
  const prepared = queue.next();
  if (prepared) show(prepared);
  else wait("Fetching the next question…");
}

/** Without a picture there is nothing to choose. @param {boolean} isAnswerable */
function setAnswerable(isAnswerable) {
  // not `disabled`: that would drop the focus of whoever is on a button
  for (const button of [...byId("classes").children, byId("skip")]) button.setAttribute("aria-disabled", String(!isAnswerable));
}

/** @param {string} text */
function wait(text) {
  setAnswerable(false);
  stage.wait(text);
}

/** @param {import("./questions.js").Prepared} prepared */
function show({ question, img }) {
  isFinished = false;
  stage.show(question, img);
  setAnswerable(true);
  stopwatch.restart();
}

/** @param {string|null} label null skips @param {string} said what to flash */
function answer(label, said) {
  if (!queue.current || isUndoing()) return;
  const { item, name } = queue.current.question;
  outbox.add({ item, label, seconds: stopwatch.read(), client_id: uuid(), name });
  stage.flash(said);
  showNext();
}

/** @param {string} name */
function flashButton(name) {
  for (const button of byId("classes").children) {
    const isChosen = button.dataset.class === name;
    button.classList.toggle("chosen", isChosen);
    if (isChosen) setTimeout(() => button.classList.remove("chosen"), 180);
  }
}

/** @param {import("./api.js").LabelClass} chosen @param {MouseEvent} [click] */
function choose(chosen, click) {
  // the second half of a double click was not meant for the picture that has just appeared
  if (click && click.detail > 1 && stopwatch.read() < DOUBLE_CLICK_S) return;
  if (!queue.current) return;
  flashButton(chosen.name);
  answer(chosen.name, chosen.name);
}

const skip = () => answer(null, "Skipped");

async function undo() {
  if (isUndoing()) return;
  const undone = await undoLast();
  if (!undone?.questions?.length) return;
  const prepared = await queue.putBack(undone.questions);
  if (prepared) show(prepared);
}

function showFinished() {
  isFinished = true;
  setAnswerable(false);
  stage.finished(status, queue.remaining);
}

function listen() {
  byId("undo").addEventListener("click", undo);
  byId("skip").addEventListener("click", skip);
  const guess = byId("show-guess");
  guess.checked = settings.get("show-guess", "no") === "yes";
  guess.addEventListener("change", () => {
    settings.set("show-guess", guess.checked ? "yes" : "no");
    stage.showGuess(queue.current?.question ?? null);
  });
  queue.addEventListener("ready", () => { if (!queue.current) showNext(); });
  queue.addEventListener("unusable", (event) => toast(/** @type {CustomEvent} */ (event).detail, { level: "error", ms: 5000 }));
  queue.addEventListener("none", () => {
    if (queue.current) return;
    showFinished();
    // proposals, skipped items and new files may bring questions back
    setTimeout(() => { if (!queue.current) queue.refill(); }, ASK_AGAIN_MS);
  });
}

async function start() {
  wait("Loading…");
  listen();
  const task = await startShell();
  onStatus((latest) => {
    status = latest;
    if (isFinished) showFinished();
  });
  setText(byId("task-title"), task.title);
  setText(byId("task-description"), task.description ?? "");
  const { classes } = task.label;
  const buttons = byId("classes");
  if (classes.length > MANY_CLASSES) buttons.dataset.many = "";
  buttons.replaceChildren(...classButtons(classes, choose));
  onShortcuts({
    undo,
    classes,
    choose,
    other: (event) => {
      if (event.shiftKey || event.key.toLowerCase() !== "s") return false;
      skip();
      return true;
    },
  });
  wait("Fetching the first question…");
  queue.refill();
}

start();
