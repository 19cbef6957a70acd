/** The numbers at the top of every page. */
import { byId, setText } from "./dom.js";
import { accuracyText, ago, intervalText, minutesText, percent, plural } from "./format.js";

const DOING = { encoding: "reading images", training: "fitting", scoring: "scoring", idle: "up to date", tuning: "", off: "" };

/** What there is to know of the model, in a few words. @param {any} status @returns {string} */
function trainingDetail({ training, encoding, needed, model, pinned }) {
  if (training.error) return training.error;
  if (training.state === "encoding") return `encoding ${encoding?.done ?? 0} / ${encoding?.total ?? "?"}`;
  if (needed) return needed.message;
  if (pinned) return `paused: model ${pinned} chosen`;
  if (training.state === "tuning") return `fine-tuning ${percent(training.progress ?? 0, 0)}`;
  if (model) return `model ${model.version}, ${ago(model.seconds_ago)}`;
  if (training.state === "off") return "switched off";
  return training.active ? "first model" : "waiting for labels";
}

/** @param {any} accuracy */
function renderAccuracy(accuracy) {
  setText(byId("accuracy"), accuracyText(accuracy));
  setText(byId("accuracy-detail"), accuracy ? `${intervalText(accuracy)}, n = ${accuracy.n}` : "not measured yet");
  byId("accuracy-metric").title = accuracy
    ? `measured on ${plural(accuracy.n, "held-out item")}, 95% interval ${intervalText(accuracy)}${accuracy.imported ? `; ${accuracy.imported} of their labels come from a file that does not say who gave them` : ""}`
    : "Measured on randomly drawn items that are never trained on, once a few of them are labelled";
}

/** @param {any} status */
function renderTraining(status) {
  const { training } = status;
  setText(byId("training"), training.active ? "Yes" : "No");
  document.body.classList.toggle("is-training", Boolean(training.active));
  const { state } = training;
  setText(byId("training-doing"), training.active || state === "encoding" ? DOING[/** @type {keyof DOING} */ (state)] ?? state : "");
  const detail = byId("training-detail");
  setText(detail, trainingDetail(status));
  detail.classList.toggle("error", Boolean(training.error));
  byId("training-metric").title = training.state === "encoding"
    ? `encoding ${percent(training.progress ?? 0, 0)}` : trainingDetail(status);
}

/** @param {any} outlook what is left to do */
function renderOutlook(outlook) {
  const minutes = outlook?.minutes_left ?? null;
  setText(byId("minutes-left"), minutes === null ? " " : minutesText(minutes));
  byId("time-metric").title = outlook?.actions_left 
    ? `about ${plural(outlook.actions_left, "key press", "key presses")} until everything is labelled, at your pace` : "";
}

/** @param {any} status */
export function renderTopbar(status) {
  const { items, accuracy } = status;
  setText(byId("labelled"), `${items.labelled} / ${items.total}`);
  byId("labelled").style.setProperty("--digits", String(2 * String(items.total).length + 2)); // as wide as it will ever be
  const bar = byId("labelled-progress");
  bar.max = Math.max(items.total, 1);
  bar.value = items.labelled;
  renderAccuracy(accuracy);
  renderTraining(status);
  const seconds = status.seconds_per_label;
  setText(byId("time-per-label"), seconds === null || seconds === undefined ? "–" : `${seconds.toFixed(1)} s`);
  renderOutlook(status.outlook);
  setText(byId("review-count"), String(items.proposed));
  byId("review-metric").classList.toggle("idle", !items.proposed);
}
