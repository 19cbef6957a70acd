/** The camera, live: one frame at a time is scored, the next when the answer is there. */
import { HIDDEN, isCanvasReadable } from "./canvascheck.js";
import { byId, setText } from "./dom.js";

const FRAME = 320; // pixels of the longer side: the model sees no more
const EVERY_MS = 120; // at most so many times a second
const SMOOTHING = 0.8; // of the rate that is shown

/** Why there is no picture, in words that help. @param {any} error @returns {string} */
function explain(error) {
  const name = error?.name;
  if (name === "NotAllowedError") return "The browser did not allow the camera. Allow it for this page (in the address bar) and start again.";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "There is no camera.";
  if (name === "NotReadableError") return "The camera cannot be read: another program may be using it.";
  return `The camera cannot be used: ${error?.message ?? name}`;
}

export class Webcam {
  /** @type {MediaStream|null} */ stream = null;
  run = 0; // counts starts and stops: an older loop ends

  /** @param {(frame: Blob) => Promise<boolean>} score whether to go on @param {(message: string|null) => void} fail */
  constructor(score, fail) {
    this.video = byId("camera");
    this.score = score;
    this.fail = fail;
    byId("camera-start").addEventListener("click", () => this.start());
    byId("camera-stop").addEventListener("click", () => { this.stop(); byId("camera-start").focus(); });
    // nobody is watching: the camera's light goes out
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.stop(); });
    window.addEventListener("pagehide", () => this.stop());
  }

  async start() {
    this.fail(null);
    if (!navigator.mediaDevices?.getUserMedia) {
      this.fail("Browsers give a page the camera only over https, or on localhost. Open this page there.");
      return;
    }
    if (!isCanvasReadable()) { this.fail(HIDDEN); return; }
    this.run += 1;
    const mine = this.run;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } }, audio: false });
      if (mine !== this.run) { stream.getTracks().forEach((track) => track.stop()); return; }
      this.stream = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => { if (mine === this.run) { this.stop(); this.fail("The camera was taken away."); } });
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (mine !== this.run) return;
      this.stop();
      this.fail(explain(error));
      return;
    }
    this.#show(true);
    byId("camera-stop").focus();
    await this.#loop(mine);
  }

  stop() {
    this.run += 1;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    this.#show(false);
  }

  /** @param {boolean} isOn */
  #show(isOn) {
    byId("camera-start").hidden = isOn;
    byId("camera-stop").hidden = !isOn;
    if (!isOn) setText(byId("camera-rate"), "");
  }

  /** @param {number} mine */
  async #loop(mine) {
    let pace = 0; // milliseconds from one answer to the next, smoothed
    while (mine === this.run) {
      const began = performance.now();
      const goOn = await this.score(await this.#frame());
      if (mine !== this.run) return;
      if (!goOn) { this.stop(); return; }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY_MS - (performance.now() - began))));
      const took = performance.now() - began;
      pace = pace ? SMOOTHING * pace + (1 - SMOOTHING) * took : took;
      if (mine === this.run) setText(byId("camera-rate"), `${(1000 / pace).toFixed(1)} images a second`);
    }
  }

  /** @returns {Promise<Blob>} a JPEG of what the camera sees now */
  async #frame() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const shrink = Math.min(1, FRAME / Math.max(width, height, 1));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * shrink));
    canvas.height = Math.max(1, Math.round(height * shrink));
    /** @type {any} */ (canvas.getContext("2d")).drawImage(this.video, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob((blob) => resolve(/** @type {Blob} */ (blob)), "image/jpeg", 0.9));
  }
}
