/** The answer on the Try page: bars for the classes, the image, the nearest labelled ones. */
import { classColour } from "./colours.js";
import { byId, make, setText } from "./dom.js";
import { percent } from "./format.js";
import { classDot } from "./task.js";

/** @typedef {import("./api.js").Scored} Scored @typedef {import("./api.js").Neighbour} Neighbour */

export const NEAREST = 5; // labelled images beside an answer
const ALL_SHOWN = 12; // with more classes only the likeliest have a bar
const TOP = 10;

let asked = 0; // counts requests: only the answer to the newest is shown
let previewUrl = "";
/** @type {string[]} */ let classes = [];

/** @param {string|null} message */
export function showError(message) {
  byId("try-error").hidden = message === null;
  setText(byId("try-error"), message ?? "");
}

/** @param {string} label */
function makeBar(label) {
  const index = classes.indexOf(label);
  const fill = make("div", { class: "bar-fill" });
  fill.style.setProperty("--class-colour", classColour(index));
  return make("li", { class: "bar", "data-class": label }, make("span", { class: "bar-name", title: label }, classDot(index), make("span", {}, label)),
    make("span", { class: "bar-score" }), make("div", { class: "bar-track", "aria-hidden": "true" }, fill));
}

/** Bars stay in place from answer to answer: live ones come several times a second. @param {Scored} answer */
function showScores({ labels, scores: [scores] }) {
  classes = labels;
  const best = scores.indexOf(Math.max(...scores));
  const order = [...labels.keys()];
  const shown = labels.length <= ALL_SHOWN ? order : order.sort((one, other) => scores[other] - scores[one]).slice(0, TOP);
  const list = byId("bars");
  const before = new Map([...list.children].map((bar) => [bar.dataset.class, bar]));
  list.replaceChildren(...shown.map((index) => {
    const bar = before.get(labels[index]) ?? makeBar(labels[index]);
    bar.classList.toggle("predicted", index === best);
    bar.toggleAttribute("aria-current", index === best);
    setText(bar.querySelector(".bar-score"), percent(scores[index]));
    bar.querySelector(".bar-fill").style.width = percent(scores[index]).replace(" ", "");
    return bar;
  }));
  setText(byId("predicted"), `${labels[best]}, ${percent(scores[best])}`);
  byId("no-result").hidden = true;
  byId("result").hidden = false;
}

/** @param {Neighbour} one */
function makeNeighbour(one) {
  return make("li", { "data-item": one.item }, make("a", { href: `/dataset?q=${encodeURIComponent(one.name)}`, title: `${one.name}: open it on the Dataset page` },
    make("img", { alt: "", src: `${one.media}?width=256`, decoding: "async" }),
    make("span", { class: "nearest-label" }, classDot(classes.indexOf(one.label)), make("b", {}, one.label)),
    make("small", {}, make("span", { class: "sr-only" }, "similarity "), one.similarity.toFixed(2))));
}

/** @param {Neighbour[][]|null|undefined} nearest undefined: not asked for, what is shown stays */
function showNearest(nearest) {
  if (nearest === undefined) return;
  byId("nearest").hidden = !nearest?.[0].length;
  byId("nearest-list").replaceChildren(...(nearest?.[0] ?? []).map(makeNeighbour));
}

/**
 * @param {Blob|null} file null when the page may not load the image itself (its security policy)
 * @param {boolean} isOurs made by this page, so that nobody has it as a file yet @param {boolean} isShown on the page already
 */
function showPreview(file, isOurs, isShown) {
  URL.revokeObjectURL(previewUrl);
  previewUrl = file ? URL.createObjectURL(file) : "";
  byId("result").classList.toggle("no-preview", !file || isShown);
  byId("preview").replaceChildren();
  const save = byId("save");
  save.hidden = !isOurs;
  if (isOurs) save.href = previewUrl;
  if (!file || isShown) return;
  const img = make("img", { alt: "The image that was scored" });
  img.addEventListener("load", () => img.classList.toggle("pixelated", Math.max(img.naturalWidth, img.naturalHeight) <= 128));
  // the model may read formats that this browser does not
  img.addEventListener("error", () => byId("result").classList.add("no-preview"));
  img.src = previewUrl;
  byId("preview").append(img);
}

/** What is being asked no longer matters: another source was chosen, or the drawing is empty. */
export function clearResult() {
  asked += 1;
  byId("result").hidden = true;
  byId("no-result").hidden = false;
  setText(byId("try-busy"), "");
  showError(null);
}

/**
 * @param {{name: string, image: Blob|null, curl: string, live?: boolean, isShown?: boolean, quiet?: boolean}} what
 *   live: it was made by this page and goes on changing; isShown: on the page already; quiet: nobody should be read
 *   every answer
 * @param {() => Promise<Scored>} ask @returns {Promise<boolean>} whether it was answered
 */
export async function score({ name, image, curl, live = false, isShown = false, quiet = false }, ask) {
  asked += 1;
  const mine = asked;
  byId("predicted").setAttribute("aria-live", quiet ? "off" : "polite");
  setText(byId("curl"), curl);
  if (!live) { showError(null); setText(byId("try-busy"), "Scoring…"); }
  try {
    const answer = await ask();
    if (mine !== asked) return true;
    showError(null);
    showPreview(image, live, isShown);
    byId("save").setAttribute("download", name);
    setText(byId("result-name"), name);
    showScores(answer);
    showNearest(answer.nearest);
  } catch (error) {
    if (mine !== asked) return false;
    byId("result").hidden = true;
    byId("no-result").hidden = false;
    showError(error.message);
  }
  if (mine === asked) setText(byId("try-busy"), "");
  return byId("try-error").hidden;
}
