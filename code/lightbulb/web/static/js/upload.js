/** Adding images: by dropping them anywhere on the page, or by a button; with progress, and a reason for each refused. */
import { postFiles } from "./datasetapi.js";
import { byId, make, setText } from "./dom.js";
import { filesChosen, filesDropped } from "./droppedfiles.js";
import { onDrop } from "./dropping.js";
import { bytesText, plural } from "./format.js";
import { pollNow } from "./status.js";

/** @typedef {import("./droppedfiles.js").FoundFile} FoundFile */
/** @typedef {{allowed: boolean, suffixes: string[], max_megabytes: number}} Rules */

const MOST_FILES = 25; // in one request
const MOST_BYTES = 16e6;
const MOST_LISTED = 200;
const NOTHING = { total: 0, done: 0, bytes: 0, sent: 0, coming: 0, added: 0, known: 0, refused: 0 };

/** @param {FoundFile[]} files */
const bytesOf = (files) => files.reduce((sum, { file }) => sum + file.size, 0);

export class Uploader {
  /** @type {FoundFile[]} */ #waiting = [];
  /** @type {AbortController|null} */ #abort = null;
  /** total, done: files; bytes, sent: of those that can be added; coming: bytes of the request on its way */
  #count = { ...NOTHING };

  /** @param {Rules} rules @param {() => void} done called when new items may be there */
  constructor(rules, done) {
    this.rules = rules;
    this.done = done;
    for (const id of ["add-files", "add-folder"]) byId(id).hidden = !rules.allowed || (id === "add-folder" && !("webkitdirectory" in HTMLInputElement.prototype));
    if (!rules.allowed) return;
    for (const name of ["file", "folder"]) {
      const input = byId(`${name}-input`);
      byId(name === "file" ? "add-files" : "add-folder").addEventListener("click", () => input.click());
      input.addEventListener("change", () => { this.add(filesChosen(input.files)); input.value = ""; });
    }
    byId("upload-cancel").addEventListener("click", () => this.#cancel());
    byId("upload-close").addEventListener("click", () => { byId("upload").hidden = true; byId("add-files").focus(); });
    this.#listenToDrops();
  }

  #listenToDrops() {
    onDrop({
      isWanted: ({ types }) => types.includes("Files"),
      show: (isOver) => { byId("drop-here").hidden = !isOver; },
      drop: async (dropped) => {
        try { this.add(await filesDropped(dropped)); } catch (error) { this.add([]); this.#refuse("What was dropped", `cannot be read: ${error.message}`); }
      },
    });
  }

  /** @param {FoundFile[]} files */
  add(files) {
    if (!this.#abort) {
      this.#count = { ...NOTHING };
      byId("upload-problems").replaceChildren();
    }
    byId("upload").hidden = false;
    this.#count.total += files.length;
    const good = files.filter(({ file, path }) => {
      const problem = this.#problemOf(file);
      if (problem) { this.#count.done += 1; this.#refuse(path, problem); }
      return !problem;
    });
    this.#count.bytes += bytesOf(good);
    this.#waiting.push(...good);
    this.#render();
    if (!this.#abort) this.#send();
  }

  /** What the server would refuse need not be sent. @param {File} file */
  #problemOf(file) {
    const suffix = /\.[^.]+$/.exec(file.name.toLowerCase())?.[0] ?? "";
    if (!this.rules.suffixes.includes(suffix)) return `not a kind of file that is labelled here (known: ${this.rules.suffixes.map((each) => each.slice(1)).join(", ")})`;
    return file.size > this.rules.max_megabytes * 1e6 ? `larger than the limit of ${this.rules.max_megabytes} megabytes` : null;
  }

  async #send() {
    const abort = new AbortController();
    this.#abort = abort;
    while (this.#waiting.length && !abort.signal.aborted) {
      const some = this.#next();
      try {
        const { files } = await postFiles(some, abort.signal, (sent) => this.#onSent(Math.min(sent, bytesOf(some))));
        for (const { name, result, problem } of files) {
          this.#count[result] += 1;
          if (problem) this.#list(name, problem);
        }
      } catch (error) {
        if (abort.signal.aborted) break;
        this.#failed(some, error);
        if (error.code !== "unusable_files" && error.status !== 413) break;
      }
      this.#count.done += some.length;
      this.#count.sent += bytesOf(some);
      this.#count.coming = 0;
      this.#render();
    }
    this.#abort = null;
    this.#waiting = [];
    this.#render();
    pollNow();
    if (this.#count.added) this.done();
  }

  /** @param {number} bytes of the request on its way */
  #onSent(bytes) {
    this.#count.coming = bytes;
    this.#renderProgress();
  }

  /** As many files as fit into one request. */
  #next() {
    let bytes = 0;
    let count = 0;
    while (count < Math.min(MOST_FILES, this.#waiting.length) && (count === 0 || bytes + this.#waiting[count].file.size <= MOST_BYTES)) {
      bytes += this.#waiting[count].file.size;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** @param {FoundFile[]} files @param {import("./api.js").ApiError} error */
  #failed(files, error) {
    if (error.code === "unusable_files") for (const { name, problem } of error.details) this.#refuse(name, problem);
    else for (const { path } of [...files, ...this.#waiting]) this.#refuse(path, `not added: ${error.message}`);
  }

  /** @param {string} name @param {string} problem */
  #refuse(name, problem) {
    this.#count.refused += 1;
    this.#list(name, problem);
  }

  /** @param {string} name @param {string} problem */
  #list(name, problem) {
    const list = byId("upload-problems");
    if (list.children.length < MOST_LISTED) list.append(make("li", {}, make("b", { class: "item-name" }, name), ` ${problem}`));
    else setText(list.lastElementChild, `… and ${this.#count.refused - MOST_LISTED + 1} more`);
  }

  #cancel() {
    this.#abort?.abort();
    this.#waiting = [];
  }

  #render() {
    const { total, done, added, known, refused } = this.#count;
    const isRunning = this.#abort !== null || this.#waiting.length > 0;
    const parts = [`${added} added`, known ? `${known} already there` : "", refused ? `${refused} refused` : ""].filter(Boolean).join(", ");
    setText(byId("upload-text"), isRunning ? `Adding ${plural(total, "file")}: ${done} done${refused ? `, ${refused} refused` : ""}` : `${parts}.`);
    byId("upload-progress").hidden = byId("upload-bytes").hidden = !isRunning;
    this.#renderProgress();
    byId("upload-cancel").hidden = !isRunning;
    byId("upload-close").hidden = isRunning;
  }

  /** Over all files, whichever request they go with. */
  #renderProgress() {
    const { total, done, bytes, sent, coming } = this.#count;
    byId("upload-progress").value = bytes ? (sent + coming) / bytes : done / Math.max(1, total);
    setText(byId("upload-bytes"), bytes ? `${bytesText(sent + coming)} of ${bytesText(bytes)} sent` : "");
  }
}
