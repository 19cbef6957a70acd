"""Photographs every page with Chromium into docs/screenshots, and films the way from labelling to Review:
`make screenshots`.

Serves the digits from a temporary folder, answers the questions by their truth, and waits for proposals. The
pages are those that the navigation leads to: light, dark, and as wide as a telephone.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "code")]

from PIL import Image  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from browser.conftest import BROWSERS  # noqa: E402
from browser.driving import press_answer, question, wrong_cells  # noqa: E402
from browser.filming import Film  # noqa: E402
from lightbulb.datasets.digits import Digits  # noqa: E402
from serving import RunningServer, write_config  # noqa: E402
from support import read_truth  # noqa: E402

TARGET = ROOT / "docs" / "screenshots"
LABELS = 130
MOST_BATCHES = 12  # until a certificate: two where all are right
SLOWLY = 6  # answers that the film shows one by one
DESK, PHONE, SCREEN = (
    {"width": 1440, "height": 900},
    {"width": 360, "height": 740},
    {"width": 1040, "height": 640},
)
LARGEST = 200_000  # bytes of a picture
SETTLED_MS = 1500  # the status bar is filled by then


def main() -> None:
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        sys.exit(f"No browser: install one of {', '.join(BROWSERS)} with your system's package manager.")
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lightbulb-screenshots-") as name:
        folder = Path(name)
        Digits().make(folder)
        # At 0.95 some fifty looks are enough for a certificate: of 180 digits of a kind that spares half.
        config = write_config(
            folder / "task.yml", folder / "digits",
            task={"title": "Which digit is it?"}, model={"image_size": 128},
            auto_label={"confidence": 0.95, "batch_size": 60},
        )  # fmt: skip
        truth = read_truth(folder / "digits.truth.csv")
        server = RunningServer(config)
        try:
            server.wait_until("/api/status", lambda now: now["encoding"]["done"] == len(truth), seconds=600)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
                film(browser, server, truth)
                picture = folder / "digits" / "0003.png"
                photograph(
                    browser, server, {"/try": lambda page: try_it(page, picture), "/model": open_a_cell}
                )
                browser.close()
        finally:
            server.stop()


def film(browser: Any, server: RunningServer, truth: Mapping[str, str]) -> None:
    """Leaves LABELS labels, a class accepted and taken back, and what the model proposes."""
    page = browser.new_context(viewport=SCREEN).new_page()
    taken = Film(page)
    film_labelling(page, taken, server, truth)
    page.click('.nav a[href="/review"]')
    page.wait_for_selector("#confirm:enabled", timeout=60_000)
    film_review(page, taken, server, truth)
    path = TARGET / "labelling-to-review.webp"
    taken.save(path)
    print(path)
    page.context.close()


def film_labelling(page: Any, taken: Film, server: RunningServer, truth: Mapping[str, str]) -> None:
    page.goto(server.base)
    question(page)
    page.wait_for_timeout(SETTLED_MS)
    for count in range(1, LABELS + 1):
        taken.shoot(900 if count <= SLOWLY else 60)
        press_answer(page, truth)
        if count <= SLOWLY:
            taken.shoot(250)  # which answer it was
        elif count >= 20:  # as a person answers, so that the model chooses what is asked
            server.wait_until(
                "/api/status", lambda now, n=count: now["model"] and now["model"]["labels"] >= n - 5
            )
    server.wait_until(
        "/api/status", lambda now: now["model"]["labels"] == LABELS and now["items"]["proposed"]
    )
    page.wait_for_timeout(SETTLED_MS)
    taken.shoot(1500)


def film_review(page: Any, taken: Film, server: RunningServer, truth: Mapping[str, str]) -> None:
    """Batches of one class until its rest may be accepted; accepts it, and takes that back."""
    names = {
        str(row["item"]): row["name"]
        for offset in range(0, len(truth), 500)
        for row in server.get(f"/api/items?limit=500&offset={offset}")["items"]
    }
    page.select_option("#class-choice", label_of_batch(page))  # one class after the other, not in turns
    page.select_option("#order", "similar")
    page.locator("#size").fill("80")
    for _ in range(MOST_BATCHES):
        page.wait_for_selector("#confirm:enabled, #any-class:visible")
        if page.locator("#any-class").is_visible():  # too many were wrong for a certificate: the next class
            page.click("#any-class")
            page.wait_for_selector("#confirm:enabled")
            page.select_option("#class-choice", label_of_batch(page))
        page.wait_for_timeout(SETTLED_MS)
        taken.shoot(1600)
        for item in wrong_cells(page, label_of_batch(page), truth, names):
            page.click(f'.cell[data-item="{item}"]')
            taken.shoot(900)
        page.click("#confirm")
        page.wait_for_selector("#toasts .toast")
        page.wait_for_timeout(SETTLED_MS)
        taken.shoot(1200)
        if page.locator(".offer").count():
            break
    taken.shoot(2500)
    page.click(".accept")
    page.wait_for_selector(".offer", state="detached")
    page.wait_for_timeout(SETTLED_MS)
    taken.shoot(2600)
    if page.locator("#class-choice").is_visible():  # not where that was the last that was proposed
        page.select_option("#class-choice", "")
    page.keyboard.press("u")
    page.wait_for_selector(".offer")


def label_of_batch(page: Any) -> str:
    return str(page.locator("#headline em").inner_text()).strip("“”")


def photograph(browser: Any, server: RunningServer, prepare: Mapping[str, Callable[[Any], None]]) -> None:
    """prepare: what is done on a page before its picture is taken."""
    for scheme, viewport, suffix in (("light", DESK, ""), ("dark", DESK, "-dark"), ("light", PHONE, "-360")):
        page = browser.new_context(color_scheme=scheme, viewport=viewport).new_page()
        page.goto(server.base)
        for path in page.eval_on_selector_all(
            ".nav a:not(.nav-small)", "links => links.map((link) => link.getAttribute('href'))"
        ):
            page.goto(f"{server.base}{path}")
            prepare.get(path, lambda page: None)(page)
            page.wait_for_selector("main img:visible, main svg:visible")
            shoot(page, f"{path.strip('/') or 'label'}{suffix}")
        page.context.close()


def open_a_cell(page: Any) -> None:
    page.wait_for_selector("#curve svg")
    page.click("#confusion button")
    page.wait_for_selector("#cell-list li")


def try_it(page: Any, picture: Path) -> None:
    page.set_input_files("#file", str(picture))
    page.wait_for_selector("#bars .bar.predicted")


def shoot(page: Any, name: str) -> None:
    page.wait_for_timeout(SETTLED_MS)
    path = TARGET / f"{name}.webp"
    with Image.open(io.BytesIO(page.screenshot())) as taken:
        taken.convert("RGB").save(path, quality=88, method=6)
    assert path.stat().st_size <= LARGEST, f"{path} has {path.stat().st_size} bytes"
    print(path)


if __name__ == "__main__":
    main()
