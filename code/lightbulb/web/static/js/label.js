/** The Label page: one question after the other, answered by a key or a click. */
import { ClassPicker } from "./classpicker.js";
import { clientId } from "./client.js";
import { byId, settings } from "./dom.js";
import { FlagDialog } from "./flagdialog.js";
import { keysDialog, labelKeys } from "./keysdialog.js";
import { onShortcuts } from "./keys.js";
import { Labelling } from "./labelling.js";
import { outbox } from "./outbox.js";
import { mediaFor } from "./picture.js";
import { QuestionQueue } from "./questions.js";
import { startShell } from "./shell.js";
import { Stage } from "./stage.js";
import { onStatus } from "./status.js";

/** A long description is folded; the button says so. */
function foldDescription() {
  const [text, more] = [byId("task-description"), byId("more-description")];
  const isCut = () => {
    const [first, ...others] = text.children;
    return others.length > 0 || (first && first.scrollHeight > first.clientHeight + 2);
  };
  const render = () => { more.hidden = !text.classList.contains("open") && !isCut(); };
  more.addEventListener("click", () => {
    const isOpen = text.classList.toggle("open");
    more.setAttribute("aria-expanded", String(isOpen));
    more.textContent = isOpen ? "Less" : "More";
  });
  new ResizeObserver(render).observe(text);
}

/** @param {Labelling} page */
function listenToButtons(page) {
  byId("undo").addEventListener("click", () => page.undo());
  byId("skip").addEventListener("click", () => page.skip());
  byId("back").addEventListener("click", () => page.back());
  byId("forward").addEventListener("click", () => page.forward());
  byId("to-question").addEventListener("click", () => page.present());
  const guess = byId("show-guess");
  guess.checked = settings.get("show-guess", "no") === "yes";
  guess.addEventListener("change", () => {
    settings.set("show-guess", guess.checked ? "yes" : "no");
    page.showGuess();
  });
}

/** @param {Labelling} page @param {Stage} stage @param {Record<string, () => void>} open dialogs and fields, by key
 * @returns {(event: KeyboardEvent) => boolean} */
const commands = (page, stage, open) => (event) => {
  if (stage.onKey(event)) return true;
  const run = {
    ...open, ArrowLeft: () => page.back(), ArrowRight: () => page.forward(), Escape: () => page.present(),
    s: () => !event.shiftKey && page.skip(),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  run?.();
  return Boolean(run);
};

function start() {
  const stage = new Stage();
  const queue = new QuestionQueue(clientId, () => outbox.answered, (media) => mediaFor(media, stage.picture));
  const page = new Labelling(stage, queue);
  page.wait("Loading…");
  foldDescription();
  listenToButtons(page);
  const flags = new FlagDialog((question) => {
    if (question === page.question) stage.showFlag(question);
    stage.flash(question.flag ? "Flagged" : "Flag taken off");
  });
  const flag = () => { if (page.question) flags.open(page.question); };
  const task = startShell();
  const { classes } = task.label;
  page.begin(new ClassPicker(classes, (chosen, click) => page.choose(chosen, click)));
  onStatus((status) => page.onStatus(status));
  const showKeys = keysDialog(classes, labelKeys());
  byId("flag").addEventListener("click", flag);
  byId("keys").addEventListener("click", showKeys);
  onShortcuts({
    undo: () => page.undo(),
    classes,
    choose: (chosen) => page.choose(chosen),
    other: commands(page, stage, { f: flag, "?": showKeys, "/": () => page.picker?.search?.focus() }),
    enabled: () => !document.querySelector("dialog[open]"),
  });
}

start();
