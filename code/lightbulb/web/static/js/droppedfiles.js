/** What was dropped on a page or chosen in a file dialog, with the folders it lay in. */

/** @typedef {{file: File, path: string}} FoundFile */

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function entriesIn(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) { // a reader hands out a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

/** @param {FileSystemEntry} entry @param {FoundFile[]} found */
async function walk(entry, found) {
  if (entry.name.startsWith(".")) return;
  if (entry.isDirectory) {
    for (const inner of await entriesIn(/** @type {FileSystemDirectoryEntry} */ (entry))) await walk(inner, found);
    return;
  }
  const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
  found.push({ file, path: entry.fullPath.replace(/^\//, "") });
}

/** The entries must be taken while the event lasts; reading them may take longer.
 * @param {DataTransfer} dropped @returns {Promise<FoundFile[]>} */
export async function filesDropped(dropped) {
  const entries = Array.from(dropped.items, (item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (!entries.length) return Array.from(dropped.files, (file) => ({ file, path: file.name }));
  const found = /** @type {FoundFile[]} */ ([]);
  for (const entry of entries) await walk(entry, found);
  return found;
}

/** @param {FileList} files @returns {FoundFile[]} */
export const filesChosen = (files) => Array.from(files, (file) => ({ file, path: file.webkitRelativePath || file.name }))
  .filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
