/** What everyone should see at the top of the page: the server's banners and this page's own problems. */
import { byId, make } from "./dom.js";

/** @typedef {{text: string, run: () => void}} Action */

/** @type {Map<string, {level: string, text: string, actions?: Action[]}>} */
const problems = new Map();
/** @type {{level: string, text: string, actions?: Action[]}[]} */
let fromServer = [];
let shown = "";

function render() {
  const all = [...problems.values(), ...fromServer];
  const key = JSON.stringify(all);
  if (key === shown) return; // an unchanged live region must stay silent
  shown = key;
  byId("banners").replaceChildren(...all.map(({ level, text, actions = [] }) =>
    make("div", { class: `banner banner-${level === "error" ? "error" : "warning"}` }, make("span", {}, text),
      ...actions.map((action) => make("button", { type: "button", onclick: action.run }, action.text)))));
}

/** @param {string} id one problem a name; null text takes it away @param {string|null} text
 * @param {Action[]} [actions] the same ones for the same text */
export function setProblem(id, text, level = "error", actions = []) {
  if (text === null) problems.delete(id);
  else problems.set(id, { level, text, actions });
  render();
}

/** @param {{level: string, text: string}[]} banners */
export function setServerBanners(banners) {
  fromServer = banners;
  render();
}
