"""How long Review takes until the last thumbnail of a batch is painted. Prints JSON.

    .virt/bin/python tests/browser/bench_review.py --images FOLDER --truth FILE --weights FILE

Serves the photographs, labels some by their truth, and waits for proposals. Then, in a real browser:

opened: from the navigation to a page on which every thumbnail is loaded, decoded and painted; each time in a
    fresh profile, so that nothing comes out of the browser's cache. `first` is the very first one, before
    the server has made a single thumbnail.
next: from the key press that confirms a batch to the next one painted, the saving and the training included;
    of batches as large as the first.

The grid is as dense as it gets, so that all of a batch is in the window and has to be painted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "code")]

import requests  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from browser.conftest import BROWSERS  # noqa: E402
from serving import RunningServer, write_config  # noqa: E402
from support import read_truth  # noqa: E402

DESK = {"width": 1440, "height": 900}
MOST_LABELS = 300
DENSEST = "localStorage.setItem('lightbulb:thumbnail-size', '72')"
# Resolves to the time, in ms since the navigation or the last key press, at which all thumbnails are painted;
# to null where nothing is left to confirm.
PAINTED = """
([batch, wanted]) => new Promise((resolve) => {
  const look = async () => {
    if (!document.querySelector('#nothing').hidden) { resolve(null); return; }
    const images = [...document.querySelectorAll('#grid .cell img')];
    const isNew = document.querySelector('#batch').dataset.batch !== batch;
    if (!isNew || images.length < wanted || !images.every((img) => img.complete && img.naturalWidth)) {
      requestAnimationFrame(look);
      return;
    }
    await Promise.all(images.map((img) => img.decode()));
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - (window.pressedAt ?? 0)), 0));
  };
  look();
})
"""
NOTE_PRESSES = "addEventListener('keydown', (event) => { window.pressedAt = event.timeStamp; }, true)"


def main() -> None:
    options = parse()
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        sys.exit(f"No browser: install one of {', '.join(BROWSERS)} with your system's package manager.")
    with tempfile.TemporaryDirectory(prefix="lightbulb-bench-") as name:
        truth = read_truth(options.truth)
        config = write_config(
            Path(name) / "task.yml", options.images,
            label={"classes": sorted(set(truth.values()))},
            model={"weights": str(options.weights), "image_size": 224},
            auto_label={"batch_size": options.batch},
        )  # fmt: skip
        server = RunningServer(config)
        try:
            prepare(server, truth, options.labels, options.batch)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
                report = {"batch": options.batch, "opened": opened(browser, server, options)}
                report["next"] = following(browser, server, options)
        finally:
            server.stop()
    print(json.dumps(report, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--truth", type=Path, required=True, help="CSV: path, label")
    parser.add_argument("--weights", default="auto", help="as model.weights in the YAML")
    parser.add_argument("--labels", type=int, default=80, help="given before the first batch")
    parser.add_argument("--batch", type=int, default=100, help="photographs on the page")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--look", type=float, default=3.0, help="seconds a person looks at a batch")
    return parser.parse_args()


def prepare(server: RunningServer, truth: Mapping[str, str], labels: int, batch: int) -> None:
    """At least `labels` labels by the truth, and more until a whole batch is proposed."""
    server.wait_until("/api/status", lambda now: now["encoding"]["done"] == len(truth), seconds=600)
    for done in range(10, MOST_LABELS + 1, 10):
        questions = server.get("/api/questions?n=10")["questions"]
        rows = [{"item": one["item"], "label": truth[one["name"]], "seconds": 1.0} for one in questions]
        requests.post(f"{server.base}/api/labels", json={"labels": rows}, timeout=30).raise_for_status()
        now = server.wait_until(
            "/api/status", lambda now, n=done: now["model"] and now["model"]["labels"] >= n, seconds=300
        )
        if done >= labels and max(now["proposed"].values()) >= batch:
            return
    sys.exit(f"never {batch} proposals of a class: {now['proposed']}")


def opened(browser: Any, server: RunningServer, options: argparse.Namespace) -> dict[str, Any]:
    times = []
    for _ in range(options.rounds + 1):
        page = new_page(browser, server)
        page.goto(f"{server.base}/review", wait_until="domcontentloaded")
        times.append(page.evaluate(PAINTED, [None, options.batch]))
        page.context.close()
    return {"first": round(times[0]), **summary(times[1:])}


def following(browser: Any, server: RunningServer, options: argparse.Namespace) -> dict[str, Any]:
    page = new_page(browser, server)
    page.goto(f"{server.base}/review")
    times = []
    for _ in range(options.rounds):
        page.wait_for_selector("#confirm:enabled")
        page.wait_for_timeout(options.look * 1000)
        before = page.get_attribute("#batch", "data-batch")
        page.keyboard.press("Enter")
        time = page.evaluate(PAINTED, [before, 1])
        if time is None:  # everything is confirmed
            break
        if page.locator("#grid .cell").count() == options.batch:  # an audit may ask for fewer
            times.append(time)
    page.context.close()
    return summary(times)


def new_page(browser: Any, server: RunningServer) -> Any:
    page = browser.new_context(viewport=DESK).new_page()
    page.add_init_script(f"{DENSEST}; {NOTE_PRESSES}")
    return page


def summary(times: list[float]) -> dict[str, Any]:
    return {
        "rounds": len(times),
        "median_ms": round(statistics.median(times)) if times else None,
        "most_ms": round(max(times, default=0)),
        "all_ms": [round(time) for time in times],
    }


if __name__ == "__main__":
    main()
