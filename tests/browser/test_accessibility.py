"""No serious or critical issue by axe-core (WCAG 2.2 A and AA) on any page: light and dark, narrow and wide.

The pages are those that the navigation leads to, so a new one is checked unasked; so are its dialogs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from browser.conftest import ServeDigits, missing
from browser.driving import WAIT_MS
from lightbulb import web
from serving import RunningServer

pytestmark = pytest.mark.browser

TEMPLATES = Path(next(iter(web.__path__))) / "templates"
PAGES = re.findall(r'\("\w+", "(/\w*)", "', (TEMPLATES / "base.html").read_text(encoding="utf-8"))
SCHEMES = ("light", "dark")
WIDTHS = (360, 1440)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
BAD = {"serious", "critical"}
# What is done on a page before it is looked at; a page without a line is looked at as it opens.
READY = {"/": "#picture img", "/review": "#confirm:enabled", "/dataset": "#tiles [data-item]"}
# What a double click opens; a dialog without a line is opened as it is.
OPENED_BY = {"preview": ".cell >> nth=1", "item-dialog": "#tiles [data-item] >> nth=0"}


@pytest.fixture(scope="module")
def axe() -> Any:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-playwright-python is not installed")
    return Axe()


@pytest.fixture(scope="module")
def proposing(serve_digits: ServeDigits, truth: Mapping[str, str]) -> RunningServer:
    """A pool with everything in it: labels, a model, proposals, a file that cannot be used."""
    server = serve_digits(300, {"broken.png": b"no image"}, auto_label={"confidence": 0.6, "batch_size": 20})
    for _ in range(7):
        rows = [
            {"item": one["item"], "label": truth[one["name"]], "seconds": 1.0}
            for one in server.get("/api/questions?n=10")["questions"]
        ]
        requests.post(f"{server.base}/api/labels", json={"labels": rows}, timeout=30).raise_for_status()
    server.wait_until("/api/status", lambda now: now["items"]["proposed"] and now["model"]["labels"] >= 70)
    return server


def test_the_pages_are_found() -> None:
    assert len(PAGES) >= 4 and PAGES[0] == "/"


def test_the_check_finds_what_is_wrong(page: Any, axe: Any) -> None:
    page.set_content('<html lang="en"><title>x</title><main><h1>x</h1><img src="x.png"><button></button>')
    assert {found.split()[1] for found in issues(axe, page, "x:")} == {"button-name", "image-alt"}


@pytest.mark.parametrize("path", PAGES)
def test_no_serious_issue(browser: Any, proposing: RunningServer, axe: Any, path: str) -> None:
    problems: list[str] = []
    for scheme in SCHEMES:
        for width in WIDTHS:
            context = browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
            )
            page = context.new_page()
            open_page(page, proposing.base, path)
            problems += issues(axe, page, f"{path} {scheme} {width}")
            for dialog in page.eval_on_selector_all("dialog[id]", "all => all.map((one) => one.id)"):
                open_dialog(page, dialog)
                problems += issues(axe, page, f"{path} #{dialog} {scheme} {width}")
                page.evaluate("id => document.getElementById(id).close()", dialog)
            context.close()
    assert not problems, "\n".join(problems)


def open_page(page: Any, base: str, path: str) -> None:
    page.goto(f"{base}{path}")
    page.wait_for_function(
        "() => /\\d/.test(document.querySelector('#labelled').textContent)", timeout=WAIT_MS
    )
    if path in READY:
        page.wait_for_selector(READY[path], timeout=WAIT_MS)
    page.wait_for_timeout(300)


def open_dialog(page: Any, dialog: str) -> None:
    if dialog in OPENED_BY:
        page.locator(OPENED_BY[dialog]).dblclick()
    else:
        page.evaluate("id => document.getElementById(id).showModal()", dialog)
    page.wait_for_selector(f"#{dialog}[open]", timeout=WAIT_MS)
    page.wait_for_timeout(300)


def issues(axe: Any, page: Any, where: str) -> list[str]:
    found = axe.run(page, options={"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]})
    return [
        f"{where}: {one['id']} ({one['impact']}): {one['help']}: "
        + "; ".join(
            " ".join(map(str, node["target"])) + " " + node["failureSummary"] for node in one["nodes"][:3]
        )
        for one in found.response["violations"]
        if one["impact"] in BAD
    ]
