/** What happens on the Label page: asking, answering, taking back, and looking back at one's own answers. */
import { uuid } from "./client.js";
import { announce, byId, setText } from "./dom.js";
import { AnswerHistory } from "./history.js";
import { outbox } from "./outbox.js";
import { Stopwatch } from "./stopwatch.js";
import { toast } from "./toast.js";
import { isUndoing, undoLast } from "./undo.js";

/** @typedef {import("./api.js").Question} Question @typedef {import("./questions.js").Prepared} Prepared */

const ASK_AGAIN_MS = 4000;
const DOUBLE_CLICK_S = 0.25;

export class Labelling {
  /** @type {import("./classpicker.js").ClassPicker|null} */ picker = null;
  /** @type {Question|null} on the screen, be it asked or looked back at */ question = null;
  #history = new AnswerHistory();
  #stopwatch = new Stopwatch();
  /** @type {any} */ #status = null;
  #isFinished = false;
  #moving = 0; // counts steps through the history: only the picture of the newest is shown

  /** @param {import("./stage.js").Stage} stage @param {import("./questions.js").QuestionQueue} queue */
  constructor(stage, queue) {
    this.stage = stage;
    this.queue = queue;
    queue.addEventListener("ready", () => { if (!queue.current && !this.#history.depth) this.present(); });
    queue.addEventListener("unusable", (event) => toast(/** @type {CustomEvent} */ (event).detail, { level: "error", ms: 5000 }));
    queue.addEventListener("none", () => {
      if (queue.current) return;
      if (!this.#history.depth) this.#finish();
      // proposals, skipped items and new files may bring questions back
      setTimeout(() => { if (!queue.current) queue.refill(); }, ASK_AGAIN_MS);
    });
  }

  /** @param {import("./classpicker.js").ClassPicker} picker */
  begin(picker) {
    this.picker = picker;
    for (const { item, name, label } of outbox.answers) this.#history.add(questionOf(item, name), label);
    this.wait("Fetching the first question…");
    this.queue.refill();
  }

  /** @param {string} text */
  wait(text) {
    this.question = null;
    this.#setAnswerable(false);
    this.stage.wait(text);
    this.showGuess();
  }

  /** @param {any} status */
  onStatus(status) {
    this.#status = status;
    if (this.#isFinished) this.#finish();
  }

  /** @param {import("./api.js").LabelClass} chosen @param {MouseEvent} [click] */
  choose({ name }, click) {
    // the second half of a double click was not meant for the picture that has just appeared
    if (click && click.detail > 1 && this.#stopwatch.read() < DOUBLE_CLICK_S) return;
    if (!this.question || isUndoing()) return;
    this.picker?.flash(name);
    if (this.#history.depth) this.#change(name);
    else this.#answer(name, name);
  }

  skip() {
    if (this.question && !this.#history.depth && !isUndoing()) this.#answer(null, "Skipped");
  }

  /** Take the last answer back: at once if it is still here, else by asking the server. */
  async undo() {
    if (isUndoing()) return;
    this.#history.leave();
    const taken = outbox.takeBack();
    if (taken) {
      this.stage.flash("Undone");
      if (taken.was === undefined) await this.#askAgain([this.#history.questionOf(taken.item) ?? questionOf(taken.item, taken.name)]);
      else this.#history.change(taken.item, taken.was);
    } else {
      const undone = await undoLast();
      if (undone?.questions?.length) await this.#askAgain(undone.questions);
      else if (undone) this.#history.clear();
    }
    this.present();
  }

  /** One answer further back. */
  async back() {
    if (isUndoing()) return;
    try {
      if (await this.#history.back()) await this.#showEntry();
      else announce("There is no earlier answer");
    } catch {
      toast("Earlier answers cannot be fetched: the server does not answer.", { level: "error" });
    }
  }

  /** One answer on, or to the question. */
  forward() {
    if (!this.#history.depth) return;
    if (this.#history.forward()) this.#showEntry();
    else this.present();
  }

  /** Show the question that is asked now. */
  present() {
    this.#moving += 1;
    this.#history.leave();
    this.#renderLookingBack();
    const prepared = this.queue.current ?? this.queue.next();
    if (prepared) this.#show(prepared);
    else if (this.#isFinished) this.#finish();
    else this.wait("Fetching the next question…");
  }

  showGuess() {
    this.picker?.showScores(this.question?.scores ?? null, byId("show-guess").checked);
  }

  /** @param {string|null} label null skips @param {string} said what to flash */
  #answer(label, said) {
    const question = /** @type {Question} */ (this.question);
    outbox.add({ item: question.item, label, seconds: this.#stopwatch.read(), client_id: uuid(), name: question.name });
    this.#history.add(question, label);
    this.stage.flash(said);
    this.queue.next();
    this.present();
  }

  /** Another answer to the one that is looked at, and one step on. @param {string} label */
  #change(label) {
    const entry = /** @type {import("./history.js").Entry} */ (this.#history.entry);
    if (entry.label !== label) {
      const { item, name } = entry.question;
      outbox.add({ item, label, seconds: this.#stopwatch.read(), client_id: uuid(), name, was: entry.label });
      this.#history.change(item, label);
      this.stage.flash(label);
    }
    this.forward();
  }

  /** @param {Question[]} questions */
  async #askAgain(questions) {
    for (const { item } of questions) this.#history.remove(item);
    await this.queue.putBack(questions);
  }

  async #showEntry() {
    this.#moving += 1;
    const mine = this.#moving;
    const { question, label } = /** @type {import("./history.js").Entry} */ (this.#history.entry);
    // until it is there nothing is on the screen that a key could be meant for
    if (!this.queue.hasPicture(question.item)) this.wait("Loading the picture…");
    const img = await this.queue.pictureAgain(question);
    if (mine !== this.#moving) return;
    if (img) this.#show({ question, img });
    else this.wait(`${question.name} cannot be shown`);
    this.#renderLookingBack();
    announce(`${question.name}: ${label ?? "skipped"}`);
  }

  /** @param {Prepared} prepared */
  #show({ question, img }) {
    this.#isFinished = false;
    this.question = question;
    this.stage.show(question, img);
    this.showGuess();
    this.#setAnswerable(true);
    this.#stopwatch.restart();
  }

  #renderLookingBack() {
    const { entry, depth } = this.#history;
    byId("looking-back").hidden = !entry;
    byId("forward").setAttribute("aria-disabled", String(!entry));
    this.picker?.showGiven(entry ? entry.label : undefined);
    if (entry) setText(byId("looking-back-text"), `${depth === 1 ? "Your last answer" : `${depth} answers back`}: ${entry.label ?? "skipped"}`);
  }

  /** @param {boolean} isAnswerable */
  #setAnswerable(isAnswerable) {
    this.picker?.setAnswerable(isAnswerable);
    byId("skip").setAttribute("aria-disabled", String(!isAnswerable || this.#history.depth > 0));
    byId("flag").setAttribute("aria-disabled", String(!isAnswerable));
  }

  #finish() {
    this.#isFinished = true;
    this.question = null;
    this.#setAnswerable(false);
    this.stage.finished(this.#status, this.queue.remaining);
    this.showGuess();
  }
}

/** What is known of an item that was answered here, once its question is gone. @param {number} item @param {string} name
 * @returns {Question} */
function questionOf(item, name) {
  return { item, name, media: `/media/${item}`, guess: null, scores: null, flag: null };
}
