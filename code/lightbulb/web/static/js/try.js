/** The Try it page: score one image by address or file. */
import { scoreFile, scoreUrl } from "./api.js";
import { copyText, curlForFile, curlForUrl } from "./curl.js";
import { byId, make, setText } from "./dom.js";
import { percent } from "./format.js";
import { startShell } from "./shell.js";
import { toast } from "./toast.js";

const EXAMPLE_URL = "https://example.org/cat.jpg";
let asked = 0; // counts requests: only the answer to the newest is shown
let previewUrl = "";

/** @param {string|null} message */
function showError(message) {
  byId("try-error").hidden = message === null;
  setText(byId("try-error"), message ?? "");
}

/** @param {string} label @param {number} score @param {boolean} isPredicted */
function makeBar(label, score, isPredicted) {
  const fill = make("div", { class: "bar-fill" });
  fill.style.width = percent(score).replace(" ", "");
  return make("li", { class: isPredicted ? "bar predicted" : "bar", "data-class": label, "aria-current": isPredicted ? "true" : null },
    make("span", { class: "bar-name", title: label }, label), make("span", {}, percent(score)),
    make("div", { class: "bar-track", "aria-hidden": "true" }, fill));
}

/** @param {{labels: string[], scores: number[][]}} answer */
function showScores({ labels, scores: [scores] }) {
  const best = scores.indexOf(Math.max(...scores));
  setText(byId("predicted"), `${labels[best]}, ${percent(scores[best])}`);
  byId("bars").replaceChildren(...labels.map((label, index) => makeBar(label, scores[index], index === best)));
  byId("result").hidden = false;
}

/** @param {Blob|null} file null when the page may not load the image itself (its security policy) */
function showPreview(file) {
  URL.revokeObjectURL(previewUrl);
  previewUrl = file ? URL.createObjectURL(file) : "";
  byId("result").classList.toggle("no-preview", !file);
  byId("preview").replaceChildren();
  if (!file) return;
  const img = make("img", { alt: "The image that was scored" });
  // the model may read formats that this browser does not
  img.addEventListener("error", () => byId("result").classList.add("no-preview"));
  img.src = previewUrl;
  byId("preview").append(img);
}

/** @param {string} name @param {Blob|null} preview @param {string} curl @param {() => Promise<any>} ask */
async function score(name, preview, curl, ask) {
  asked += 1;
  const mine = asked;
  showError(null);
  setText(byId("curl"), curl);
  setText(byId("try-busy"), "Scoring…");
  try {
    const answer = await ask();
    if (mine !== asked) return;
    showPreview(preview);
    setText(byId("result-name"), name);
    showScores(answer);
  } catch (error) {
    if (mine !== asked) return;
    byId("result").hidden = true;
    showError(error.message);
  }
  setText(byId("try-busy"), "");
}

/** @param {SubmitEvent} event */
function onUrl(event) {
  event.preventDefault();
  const url = byId("url").value.trim();
  if (!/^(https?:\/\/|data:image\/)/i.test(url)) {
    showError("Give the address of an image, starting with http:// or https://.");
    byId("url").focus();
    return;
  }
  score(url.length > 200 ? `${url.slice(0, 200)}…` : url, null, curlForUrl(url), () => scoreUrl(url));
}

/** @param {FileList|undefined|null} files */
function onFiles(files) {
  const file = files?.[0];
  if (!file) return;
  const name = file.name || "image.png"; // a pasted image has no name of its own
  score(name, file, curlForFile(name), () => scoreFile(file));
}

function listenForFiles() {
  const page = byId("try-title").parentElement;
  byId("file").addEventListener("change", () => onFiles(byId("file").files));
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return; // text goes into the address field as usual
    event.preventDefault();
    onFiles(event.clipboardData.files);
  });
  document.addEventListener("dragover", (event) => { event.preventDefault(); page.classList.add("dragging"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) page.classList.remove("dragging"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    page.classList.remove("dragging");
    onFiles(event.dataTransfer?.files);
  });
}

function start() {
  byId("url-form").addEventListener("submit", onUrl);
  listenForFiles();
  setText(byId("curl"), curlForUrl(EXAMPLE_URL));
  byId("copy").addEventListener("click", async () => toast(await copyText(byId("curl")) ? "Copied" : "Select the text and copy it by hand"));
  startShell();
}

start();
