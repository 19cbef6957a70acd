/** Where a key leads in a grid whose last row may be short. */

/**
 * @param {string} key as in KeyboardEvent
 * @param {number} index of the present cell
 * @param {{count: number, columns: number, rows: number}} grid cells in all, in a row; rows: that fit the window
 * @returns {number|null} index of the cell to go to; null if the key is not for moving
 */
export function gridTarget(key, index, { count, columns, rows }) {
  const last = count - 1;
  if (key === "ArrowLeft") return Math.max(0, index - 1);
  if (key === "ArrowRight") return Math.min(last, index + 1);
  if (key === "Home") return 0;
  if (key === "End") return last;
  const up = { ArrowUp: 1, PageUp: Math.max(1, rows) }[key];
  if (up) return verticalTarget(index, -up, count, columns);
  const down = { ArrowDown: 1, PageDown: Math.max(1, rows) }[key];
  return down ? verticalTarget(index, down, count, columns) : null;
}

/** Keeps to the column; a row that is too short ends the way at its last cell.
 * @param {number} index @param {number} by rows, negative upwards @param {number} count @param {number} columns */
function verticalTarget(index, by, count, columns) {
  const column = index % columns;
  const row = Math.floor(index / columns) + by;
  const lastRow = Math.floor((count - 1) / columns);
  return Math.min(Math.min(Math.max(0, row), lastRow) * columns + column, count - 1);
}
