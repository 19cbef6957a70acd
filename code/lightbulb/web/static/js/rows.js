/** Buttons in rows that differ by one button at most and fill the width: none ends in a gap. */

/** @param {number} count @param {number} most that fit into a row @returns {number[]} how many each row has: as few rows as can be */
export function rowLengths(count, most) {
  const rows = Math.ceil(count / Math.max(1, most));
  return Array.from({ length: rows }, (_, row) => Math.floor(count / rows) + (row < count % rows ? 1 : 0));
}

export class BalancedRows {
  /** @param {HTMLElement} root a flex box that wraps @param {HTMLButtonElement[]} buttons with a least width; some may be hidden */
  constructor(root, buttons) {
    this.root = root;
    this.buttons = buttons;
    // a frame later: what is arranged may be higher, and an observer must not change what it observes
    new ResizeObserver(() => requestAnimationFrame(() => this.arrange())).observe(root);
    this.arrange();
  }

  arrange() {
    const { columnGap, paddingLeft, paddingRight } = getComputedStyle(this.root);
    const gap = parseFloat(columnGap) || 0;
    const room = this.root.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    const most = Math.max(1, Math.floor((room + gap) / (parseFloat(getComputedStyle(this.buttons[0]).minWidth) + gap)));
    const shown = this.buttons.filter((button) => !button.hidden).sort((a, b) => Number(a.style.order) - Number(b.style.order));
    const [full] = rowLengths(this.buttons.length, most);
    // a few that a search has left stay as wide as they were
    const inRow = shown.length <= full ? shown.map(() => full)
      : rowLengths(shown.length, most).flatMap((length) => Array(length).fill(length));
    shown.forEach((button, index) => button.style.setProperty("--in-row", inRow[index]));
  }
}
