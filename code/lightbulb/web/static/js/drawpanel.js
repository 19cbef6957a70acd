/** The Draw tab: the canvas with its tools; what is drawn is scored as it grows. */
import { scoreFile } from "./api.js";
import { HIDDEN, isCanvasReadable } from "./canvascheck.js";
import { curlForFile } from "./curl.js";
import { byId } from "./dom.js";
import { Drawing } from "./drawing.js";
import { onShortcuts } from "./keys.js";
import { USUAL, datasetLook } from "./look.js";
import { NEAREST, clearResult, score, showError } from "./result.js";

const NAME = "drawing.png";
const USUAL_FILL = 0.9; // of the frame
const BRUSHES = { pen: 4, felt: 12, marker: 16 }; // per cent of the canvas
const COARSE = 10; // pixels of the frame up to which a line takes a marker

export class DrawPanel {
  look = USUAL;
  isBusy = false;
  isWaiting = false; // something changed since the drawing was sent

  constructor() {
    this.drawing = new Drawing(byId("canvas"), (isDone) => this.#onChange(isDone));
    byId("draw-undo").addEventListener("click", () => this.drawing.undo());
    byId("draw-clear").addEventListener("click", () => { this.drawing.clear(); byId("tab-draw").focus(); });
    byId("brush").addEventListener("input", () => this.#setBrush());
    byId("light-on-dark").addEventListener("change", () => this.#setGround());
    byId("fit").addEventListener("change", () => this.#onChange(true));
    onShortcuts({ undo: () => { if (!byId("panel-draw").hidden) this.drawing.undo(); } });
  }

  /** The tab was chosen; the first time, the drawing takes on the dataset's look. */
  async open() {
    if (this.isOpened) { this.#onChange(true); return; } // what was drawn before is scored again
    this.isOpened = true;
    this.look = await datasetLook();
    const { isDark, fill, grain } = this.look;
    byId("light-on-dark").checked = isDark;
    byId("fit").checked = fill !== null;
    byId("brush").value = String(fill === null ? BRUSHES.pen : grain <= COARSE ? BRUSHES.marker : BRUSHES.felt);
    this.#setBrush();
    this.#setGround();
  }

  #setBrush() { this.drawing.brush = Number(byId("brush").value) / 100; }

  #setGround() {
    this.drawing.isLightOnDark = byId("light-on-dark").checked;
    this.drawing.paint();
    this.#onChange(true);
  }

  /** @param {boolean} isDone */
  #onChange(isDone) {
    if (byId("panel-draw").hidden) return; // the answer on the page is another tab's
    byId("draw-undo").disabled = byId("draw-clear").disabled = this.drawing.isEmpty;
    if (this.drawing.isEmpty) clearResult();
    else if (this.isBusy) this.isWaiting = true;
    else this.#score(isDone);
  }

  /** One request at a time; the newest drawing is scored last. @param {boolean} isDone */
  async #score(isDone) {
    if (!isCanvasReadable()) {
      showError(HIDDEN);
      if (isDone) byId("try-error").scrollIntoView({ block: "nearest" }); // not under a stroke
      return;
    }
    this.isBusy = true;
    this.isWaiting = false;
    const fill = byId("fit").checked ? this.look.fill ?? USUAL_FILL : null;
    const image = await this.drawing.image({ ...this.look, fill });
    await score({ name: NAME, image, curl: curlForFile(NAME), live: true, quiet: !isDone }, () => scoreFile(image, NEAREST));
    this.isBusy = false;
    if (byId("panel-draw").hidden) return;
    if (this.drawing.isEmpty) clearResult();
    else if (this.isWaiting) this.#score(!this.drawing.current);
  }
}
