/** The Try it page: score an image by address, file, drawing or camera. */
import { scoreFile, scoreUrl } from "./api.js";
import { copyText, curlForFile, curlForUrl } from "./curl.js";
import { byId, setText } from "./dom.js";
import { DrawPanel } from "./drawpanel.js";
import { onDrop } from "./dropping.js";
import { NEAREST, clearResult, score, showError } from "./result.js";
import { startShell } from "./shell.js";
import { Tabs } from "./tabs.js";
import { toast } from "./toast.js";
import { Webcam } from "./webcam.js";

const EXAMPLE_URL = "https://example.org/cat.jpg";
const NEAREST_EVERY_MS = 1000; // the camera's nearest images: more often nobody could look at them

/** @param {SubmitEvent} event */
function onUrl(event) {
  event.preventDefault();
  const url = byId("url").value.trim();
  if (!/^(https?:\/\/|data:image\/)/i.test(url)) {
    showError("Give the address of an image, starting with http:// or https://.");
    byId("url").focus();
    return;
  }
  score({ name: url.length > 200 ? `${url.slice(0, 200)}…` : url, image: null, curl: curlForUrl(url) }, () => scoreUrl(url, NEAREST));
}

/** @param {FileList|undefined|null} files @param {Tabs} tabs */
function onFiles(files, tabs) {
  const file = files?.[0];
  if (!file) return;
  tabs.choose("image");
  const name = file.name || "image.png"; // a pasted image has no name of its own
  score({ name, image: file, curl: curlForFile(name) }, () => scoreFile(file, NEAREST));
}

/** @param {Tabs} tabs */
function listenForFiles(tabs) {
  const page = byId("try-title").closest("section");
  byId("file").addEventListener("change", () => onFiles(byId("file").files, tabs));
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return; // text goes into the address field as usual
    event.preventDefault();
    onFiles(event.clipboardData.files, tabs);
  });
  onDrop({ show: (isOver) => page.classList.toggle("dragging", isOver), drop: ({ files }) => onFiles(files, tabs) });
}

function makeWebcam() {
  const name = "camera.jpg";
  let nearestAt = 0;
  return new Webcam((frame) => {
    const isDue = performance.now() - nearestAt > NEAREST_EVERY_MS;
    if (isDue) nearestAt = performance.now();
    return score({ name, image: frame, curl: curlForFile(name), live: true, isShown: true, quiet: true }, () => scoreFile(frame, isDue ? NEAREST : 0));
  }, showError);
}

function start() {
  const webcam = makeWebcam();
  const drawing = new DrawPanel();
  const tabs = new Tabs(["image", "draw", "camera"], (chosen) => {
    webcam.stop();
    clearResult();
    if (chosen === "draw") drawing.open();
  });
  byId("url-form").addEventListener("submit", onUrl);
  listenForFiles(tabs);
  setText(byId("curl"), curlForUrl(EXAMPLE_URL));
  byId("copy").addEventListener("click", async () => toast(await copyText(byId("curl")) ? "Copied" : "Select the text and copy it by hand"));
  startShell();
}

start();
