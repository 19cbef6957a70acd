/** The Model page: how good the model is, where it errs, and which version serves. */
import { getHistory, getModel, getModels } from "./api.js";
import { showCalibration } from "./calibration.js";
import { Confusion } from "./confusion.js";
import { LearningCurve } from "./curve.js";
import { byId, setText } from "./dom.js";
import { accuracyText, intervalText, plural } from "./format.js";
import { startShell } from "./shell.js";
import { onStatus } from "./status.js";
import { listenForRelease, showClasses, showVersions } from "./versions.js";

const REST_MS = 2000; // models may come several times a second: nobody could read a page that follows each

const curve = new LearningCurve();
const confusion = new Confusion();
let shown = ""; // what of the status the page shows
let wanted = ""; // and what it should
let loading = false;

/** @param {any} status */
function showMissing(status) {
  byId("no-model").hidden = false;
  setText(byId("no-model-text"), status.needed ? `${status.needed.message} for the first model.` : "The first model is being trained.");
}

async function load() {
  try {
    const [{ model }, { models: history }, versions] = await Promise.all([getModel(), getHistory(), getModels()]);
    byId("model-error").hidden = true;
    byId("panels").hidden = !model;
    byId("download").hidden = !model;
    showVersions(versions, load);
    if (!model) return;
    byId("no-model").hidden = true;
    byId("download").href = `/api/models/${model.version}/download`;
    const measured = model.accuracy ? `accuracy ${accuracyText(model.accuracy)} (${intervalText(model.accuracy)}, n = ${model.accuracy.n})` : "accuracy not measured yet";
    setText(byId("model-summary"), `Model ${model.version}, ${plural(model.labels, "label")}, ${measured}`);
    curve.show(history, model.version);
    showClasses(model.classes);
    confusion.show(model.classes.map(({ name }) => name), model.confusion);
    showCalibration(model.calibration);
  } catch (error) {
    byId("model-error").hidden = false;
    setText(byId("model-error"), `Could not load what is known of the model: ${error.message}`);
    shown = ""; // tried again with the next status
  }
}

async function follow() {
  if (loading) return;
  loading = true;
  while (shown !== wanted) {
    shown = wanted;
    await load();
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
  }
  loading = false;
}

function start() {
  byId("model-title").tabIndex = -1;
  listenForRelease(load);
  startShell();
  onStatus((status) => {
    if (!status.model) showMissing(status);
    wanted = JSON.stringify([status.model?.version ?? null, status.pinned]);
    follow();
  });
}

start();
