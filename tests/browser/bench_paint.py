"""Measures in a real Chromium how long after a key press the next image is painted, while training runs.

    python tests/browser/bench_paint.py --config config/digits.yml

Serves the config's pool with a fresh database in a temporary folder, labels enough of it for a first model,
then answers by key at a steady pace: every answer sets off another model. For each key press it takes the
time from the press (the event's own time stamp, before any script runs) to the paint of the next picture
(Element Timing: when the frame with the new <img> in it was shown). An answer whose picture was not there yet
counts with all of its waiting. Prints one JSON object; fails if the 95th percentile is over `--at-most`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "code")]

import numpy as np  # noqa: E402
import requests  # noqa: E402
import yaml  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from browser.conftest import BROWSERS  # noqa: E402
from serving import RunningServer  # noqa: E402

FIRST_LABELS = 30
WARM_UP = 10  # key presses that do not count
WAIT_MS = 60_000
JITTER = 0.1  # of the time between two presses

# Set up before the page's own scripts: notes each press, and each picture as it is painted.
WATCH = """
window.presses = []; window.paints = [];
addEventListener("keydown", (event) => {
  const item = document.querySelector("#picture")?.dataset.item;
  if (!event.repeat && item) presses.push({ at: event.timeStamp, item });
}, { capture: true });
new PerformanceObserver((list) => {
  for (const { renderTime, startTime, identifier } of list.getEntries()) {
    paints.push({ at: renderTime || startTime, item: identifier });
  }
}).observe({ type: "element", buffered: true });
new MutationObserver(() => {
  const picture = document.querySelector("#picture");
  const img = picture?.querySelector("img:not([elementtiming])");
  if (img && picture.dataset.item) img.setAttribute("elementtiming", picture.dataset.item);
}).observe(document, { childList: true, subtree: true });
"""


def main() -> None:
    options = arguments()
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        sys.exit(f"No browser: install one of {', '.join(BROWSERS)} with your system's package manager.")
    with tempfile.TemporaryDirectory(prefix="lightbulb-paint-") as folder:
        server = RunningServer(config_in(Path(folder), options.config))
        try:
            prepare(server)
            found = measure(server, executable, options)
        finally:
            server.stop()
    print(json.dumps(found, indent=2))
    if found["key_to_paint_ms"]["p95"] > options.at_most:
        sys.exit(1)


def arguments() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--config", type=Path, required=True, help="a task; its outputs stay as they are")
    parser.add_argument("--presses", type=int, default=200, help="answers that count")
    parser.add_argument("--per-second", type=float, default=5.0, help="pace of the answers")
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--at-most", type=float, default=50.0, help="ms; exit status 1 if the p95 is more")
    return parser.parse_args()


def config_in(folder: Path, config: Path) -> Path:
    """A copy of the config whose every output lies in the folder."""
    raw = yaml.safe_load(config.read_text(encoding="utf-8"))
    raw["dataset"]["judgements_file"] = str(folder / "out" / "labels.csv")
    raw.get("model", {}).pop("directory", None)
    raw.pop("storage", None)
    copy = folder / "task.yml"
    copy.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return copy


def prepare(server: RunningServer) -> None:
    """All items encoded, and a first model."""
    server.wait_until(
        "/api/status", lambda now: 0 < now["encoding"]["total"] == now["encoding"]["done"], seconds=900
    )
    classes = [one["name"] for one in server.get("/api/task")["label"]["classes"]]
    asked = server.get(f"/api/questions?n={FIRST_LABELS}&client=bench")["questions"]
    labels = [{"item": one["item"], "label": classes[at % len(classes)]} for at, one in enumerate(asked)]
    requests.post(f"{server.base}/api/labels", json={"labels": labels}, timeout=60).raise_for_status()
    server.wait_until("/api/status", lambda now: now["model"] is not None, seconds=120)


def measure(server: RunningServer, executable: str, options: argparse.Namespace) -> dict[str, Any]:
    keys = [one["key"] for one in server.get("/api/task")["label"]["classes"] if one["key"]]
    chosen = random.Random(0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": options.width, "height": options.height})
        page.add_init_script(WATCH)
        page.goto(server.base)
        page.wait_for_function("() => document.querySelector('#picture').dataset.item", timeout=WAIT_MS)
        press(page, keys, chosen, WARM_UP, options.per_second)
        page.evaluate("() => { presses.length = 0; paints.length = 0 }")
        before, load = server.get("/api/status"), os.getloadavg()[0]
        press(page, keys, chosen, options.presses, options.per_second)
        page.wait_for_timeout(1000)
        presses, paints = page.evaluate("() => [presses, paints]")
        after = server.get("/api/status")
        browser.close()
    waits = key_to_paint(presses, paints)
    return {
        "config": str(options.config),
        "items": after["items"]["total"],
        "window": [options.width, options.height],
        "per_second": options.per_second,
        "key_presses": len(presses),
        "measured": len(waits),
        "key_to_paint_ms": summary(waits),
        "over_50_ms": int((np.array(waits) > 50).sum()),
        "models_published_meanwhile": after["model"]["version"] - before["model"]["version"],
        "load_average_before_and_after": [round(load, 1), round(os.getloadavg()[0], 1)],
        "cores": os.cpu_count(),
    }


def press(page: Any, keys: list[str], chosen: random.Random, count: int, per_second: float) -> None:
    """At a steady pace, whether or not the page keeps up; but not in step with the screen's frames."""
    start = time.monotonic()
    for at in range(count):
        moment = (at + chosen.uniform(-JITTER, JITTER)) / per_second
        time.sleep(max(0.0, start + moment - time.monotonic()))
        page.keyboard.press(chosen.choice(keys))


def key_to_paint(presses: list[dict[str, Any]], paints: list[dict[str, Any]]) -> list[float]:
    """ms from each press to the first paint of another item's picture after it.

    A press after which none came any more is left out.
    """
    waits = []
    for one in presses:
        later = [paint["at"] for paint in paints if paint["at"] >= one["at"] and paint["item"] != one["item"]]
        if later:
            waits.append(min(later) - one["at"])
    return waits


def summary(waits: list[float]) -> dict[str, float]:
    values = {f"p{share}": float(np.percentile(waits, share)) for share in (50, 95, 99)}
    return {name: round(value, 1) for name, value in {**values, "max": max(waits)}.items()}


if __name__ == "__main__":
    main()
