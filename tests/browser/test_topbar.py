"""The bar at the top of every page: one row on a laptop, nothing cut or moved, whatever it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.driving import WAIT_MS, wait_for_text
from serving import RunningServer, write_config
from support import copy_digits

pytestmark = pytest.mark.browser

ENCODING = {"state": "encoding", "active": True, "progress": 0.99, "error": None}
FITTING = {"state": "training", "active": True, "progress": 0.5, "error": None}
LONGEST = {
    "items": {"labelled": 99_999, "total": 100_000, "proposed": 12_345, "unlabelled": 1, "broken": 0},
    "accuracy": {"value": 1.0, "low": 0.552, "high": 1.0, "n": 1300},
    "needed": None,
    "encoding": {"done": 99_000, "total": 100_000},
    "seconds_per_label": 12.34,
    "outlook": {"gain": None, "actions_left": 100_000, "minutes_left": 35_000},
}
BOXES = """() => {
    const box = selector => document.querySelector(selector).getBoundingClientRect().toJSON();
    return [".brand", ".nav", ".metrics"].map(box);
}"""
# what is too wide for its place: text is measured, since a box that overflows does not grow
CUT = """() => {
    const wide = element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const place = element.closest("dd, dt").getBoundingClientRect();
        return range.getBoundingClientRect().right > place.right + 1;
    };
    const texts = ".metric .value, .metric small, .metric .doing, .metric dt, #review-link";
    return [...document.querySelectorAll(texts)].filter(wide)
        .map(element => `${element.id} ${element.textContent}`);
}"""


@pytest.fixture(scope="module")
def served(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("bar")
    pool = copy_digits(digits / "digits", folder / "pool", 20)
    running = RunningServer(write_config(folder / "task.yml", pool))
    yield running
    running.kill()


def say(page: Any, **status: Any) -> None:
    """From now on the server's status differs in this."""

    def answer(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=json.dumps({**response.json(), **status}))

    page.unroute("**/api/status")
    page.route("**/api/status", answer)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1265, 1280, 1366, 1440, 1920])  # 1265: a scrollbar's width less
def test_one_row_with_all_that_it_can_say(page: Any, served: RunningServer, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": max(width, 1280), "height": 800})
    say(page, **LONGEST, training=ENCODING)
    page.goto(f"{served.base}/dataset")
    if width < 1280:
        page.evaluate("width => { document.body.style.width = `${width}px` }", width)
    wait_for_text(page, "#training-detail", "^encoding 99000 / 100000$")
    assert page.evaluate(CUT) == []
    brand, nav, metrics = page.evaluate(BOXES)
    assert brand["right"] <= nav["left"] and nav["right"] <= metrics["left"]
    assert metrics["top"] < nav["top"] + nav["height"] / 2 < metrics["bottom"]  # side by side
    assert metrics["right"] <= width and brand["width"] >= 110  # "Light Bulb" is there to be read
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")

    pinned = {"model": {"version": 123, "labels": 90_000, "seconds_ago": 5}, "pinned": 123}
    say(page, **{**LONGEST, **pinned}, training={**FITTING, "active": False})
    wait_for_text(page, "#training-detail", "^paused: model 123 chosen$")
    assert page.evaluate(CUT) == []
    few = {**LONGEST["items"], "labelled": 7, "proposed": 0}
    say(page, **{**LONGEST, "items": few, "accuracy": None}, training=FITTING)
    wait_for_text(page, "#labelled", "^7 /")
    assert page.evaluate(BOXES) == [brand, nav, metrics]  # nothing has moved


@pytest.mark.parametrize("width", [1024, 721, 360])
def test_rows_below_where_there_is_less_room(page: Any, served: RunningServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    say(page, **LONGEST, training=FITTING)
    page.goto(served.base)
    wait_for_text(page, "#labelled", "^99999 / 100000$")
    wait_for_text(page, "#training-doing", "^fitting$")
    _, nav, metrics = page.evaluate(BOXES)
    assert nav["bottom"] <= metrics["top"] and metrics["right"] <= width
    cut = page.evaluate(CUT)
    assert cut == [] if width > 360 else not [text for text in cut if "detail" not in text]
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_page_that_the_browser_kept_is_read_anew(page: Any, served: RunningServer) -> None:
    page.goto(served.base)
    page.wait_for_selector("#picture[data-item]", timeout=WAIT_MS)
    page.evaluate("() => { window.isOfBefore = true }")
    page.evaluate("() => window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: false}))")
    page.wait_for_timeout(200)
    assert page.evaluate("() => window.isOfBefore")
    page.evaluate("() => window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    page.wait_for_function("() => !window.isOfBefore", timeout=WAIT_MS)
    page.wait_for_selector("#picture[data-item]", timeout=WAIT_MS)
