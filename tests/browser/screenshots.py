"""Photographs every page with Chromium into docs/screenshots: `make screenshots`.

Serves the digits from a temporary folder, labels some of them by their truth, and waits for proposals.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "code")]

import requests  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from browser.conftest import BROWSERS  # noqa: E402
from lightbulb.datasets.digits import Digits  # noqa: E402
from serving import RunningServer, write_config  # noqa: E402
from support import read_truth  # noqa: E402

TARGET = ROOT / "docs" / "screenshots"
LABELS = 120
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}


def main() -> None:
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        sys.exit(f"No browser: install one of {', '.join(BROWSERS)} with your system's package manager.")
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lightbulb-screenshots-") as name:
        folder = Path(name)
        Digits().make(folder)
        config = write_config(
            folder / "task.yml", folder / "digits",
            task={"title": "Which digit is it?"}, model={"image_size": 128},
        )  # fmt: skip
        server = RunningServer(config)
        try:
            label(server, read_truth(folder / "digits.truth.csv"))
            photograph(server, folder / "digits" / "0003.png", executable)
        finally:
            server.stop()


def label(server: RunningServer, truth: dict[str, str]) -> None:
    """One answer at a time, as a person gives them, so that the model chooses what is asked."""
    server.wait_until("/api/status", lambda now: now["encoding"]["done"] == len(truth), seconds=300)
    for count in range(1, LABELS + 1):
        one = server.get("/api/questions?n=1")["questions"][0]
        answer = {"item": one["item"], "label": truth[one["name"]], "seconds": 0.9 + 0.01 * (count % 40)}
        requests.post(f"{server.base}/api/labels", json={"labels": [answer]}, timeout=30).raise_for_status()
        if count >= 20:
            server.wait_until(
                "/api/status", lambda now, n=count: now["model"] and now["model"]["labels"] == n
            )
    server.wait_until("/api/status", lambda now: now["items"]["proposed"] > 0)


def photograph(server: RunningServer, picture: Path, executable: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for scheme, viewport, suffix in (
            ("light", DESK, ""),
            ("dark", DESK, "-dark"),
            ("light", PHONE, "-360"),
        ):
            page = browser.new_context(color_scheme=scheme, viewport=viewport).new_page()
            page.goto(server.base)
            page.wait_for_function("() => document.querySelector('#picture').dataset.item")
            shoot(page, f"label{suffix}")
            page.goto(f"{server.base}/review")
            page.wait_for_selector("#confirm:enabled")
            shoot(page, f"review{suffix}")
            page.goto(f"{server.base}/dataset")
            page.wait_for_selector("#tiles li[data-item]")
            shoot(page, f"dataset{suffix}")
            page.goto(f"{server.base}/model")
            page.wait_for_selector("#curve svg")
            page.click("#confusion button")
            page.wait_for_selector("#cell-list li")
            shoot(page, f"model{suffix}")
            page.goto(f"{server.base}/try")
            page.set_input_files("#file", str(picture))
            page.wait_for_selector("#bars .bar.predicted")
            shoot(page, f"try{suffix}")
        browser.close()


def shoot(page: Any, name: str) -> None:
    page.wait_for_timeout(1500)  # the status bar is filled by then
    path = TARGET / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as taken:
        whole = taken.convert("RGB")  # every pixel is opaque
    whole.save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
