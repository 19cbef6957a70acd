/** Something dragged over the page, and let go there. */

/**
 * Safari does not say where a drag goes that leaves an element. In every browser it has entered the next one by
 * then: who leaves the element entered last leaves the page.
 * @param {{isWanted?: (dragged: DataTransfer) => boolean, show: (isOver: boolean) => void, drop: (dropped: DataTransfer) => void}} page
 *   show: whether it is over the page
 */
export function onDrop({ isWanted = () => true, show, drop }) {
  /** @type {EventTarget|null} */ let entered = null;
  const wanted = (/** @type {DragEvent} */ event) => (event.dataTransfer && isWanted(event.dataTransfer) ? event.dataTransfer : null);
  document.addEventListener("dragenter", (event) => { entered = event.target; });
  document.addEventListener("dragover", (event) => { if (wanted(event)) { event.preventDefault(); show(true); } });
  document.addEventListener("dragleave", (event) => { if (event.target === entered) show(false); });
  document.addEventListener("drop", (event) => {
    show(false);
    const dropped = wanted(event);
    if (!dropped) return;
    event.preventDefault();
    drop(dropped);
  });
}
