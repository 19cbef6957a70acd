/** The command line that does what the Try page has just done. */

/** Quote for a POSIX shell. @param {string} text */
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param {string} url */
export const curlForUrl = (url) => [
  `curl -X POST ${quote(`${location.origin}/score`)}`,
  "  -H 'Content-Type: application/json'",
  `  -d ${quote(JSON.stringify({ type: "images", urls: [url] }))}`,
].join(" \\\n");

/** curl takes , and ; in a file name as its own unless the name is in double quotes. @param {string} name */
export const curlForFile = (name) => [
  `curl -X POST ${quote(`${location.origin}/score`)}`,
  `  -F ${quote(`files=@"${name.replace(/["\\]/g, "\\$&")}"`)}`,
].join(" \\\n");

/**
 * Copy an element's text. The clipboard API exists only on https and localhost.
 * @param {HTMLElement} element @returns {Promise<boolean>}
 */
export async function copyText(element) {
  try {
    await navigator.clipboard.writeText(element.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}
