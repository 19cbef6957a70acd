"""The Dataset page on a hundred thousand items: made-up embeddings, one picture for all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from browser.dataset_page import focused, tile, wait_for_tile
from browser.driving import WAIT_MS, value, wait_for_text
from browser.test_dataset import DESK, PHONE
from lightbulb.measuring.bench_scale import MadeUpPool, make
from lightbulb.services.assemble import Workspace, open_workspace
from lightbulb.web.app import create_app
from lightbulb.web.server import listen

pytestmark = pytest.mark.browser

ITEMS = 100_000
SLOW_MS = 60_000  # a hundred thousand labels at once


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    pool = MadeUpPool(tmp_path_factory.mktemp("large"), ITEMS, 16)
    make(pool, np.random.default_rng(0))
    opened = open_workspace(pool.config(), source=pool.source())
    opened.learner.step()  # knows the embeddings; nothing is trained
    yield opened
    opened.database.close()


@pytest.fixture(scope="module")
def base(workspace: Workspace) -> Iterator[str]:
    server = listen(create_app(workspace), "127.0.0.1", 0)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


def name_of(index: int) -> str:
    return f"{index // 1000:04d}/{index:07d}\\.png"


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["1440", "360"])
def test_the_scrollbar_leads_anywhere(page: Any, base: str, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    page.goto(f"{base}/dataset")
    wait_for_text(page, "#shown", "^100000 items")
    wait_for_tile(page, 0, ".item-name", name_of(0))
    page.evaluate("() => scrollTo(0, document.body.scrollHeight / 2)")
    page.wait_for_function("() => /at=4[89]|at=5[012]/.test(location.search)", timeout=WAIT_MS)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#tiles li')].every(cell => cell.dataset.item)", timeout=WAIT_MS
    )
    shown = page.evaluate("() => [...document.querySelectorAll('#tiles li')].map(one => +one.dataset.index)")
    assert shown == list(range(shown[0], shown[0] + len(shown)))  # in order, without a gap
    assert len(shown) < 200
    middle = shown[len(shown) // 2]
    wait_for_tile(page, middle, ".item-name", name_of(middle))
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    wait_for_tile(page, ITEMS - 1, ".item-name", name_of(ITEMS - 1))
    box = page.locator(tile(ITEMS - 1)).bounding_box()
    assert 0 < box["y"] < viewport["height"]


def test_the_keyboard_reaches_the_end_and_comes_back(page: Any, base: str) -> None:
    page.goto(f"{base}/dataset")
    page.focus(tile(0))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    wait_for_tile(page, ITEMS - 1, ".item-name", name_of(ITEMS - 1))
    assert focused(page) == ITEMS - 1
    page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_selector(tile(3), timeout=WAIT_MS)
    assert focused(page) == ITEMS - 1  # looking elsewhere takes no focus away
    page.keyboard.press("ArrowLeft")
    wait_for_tile(page, ITEMS - 2, ".item-name", name_of(ITEMS - 2))
    assert focused(page) == ITEMS - 2
    page.keyboard.press("Control+a")
    wait_for_text(page, "#selected-count", f"^{ITEMS} selected")
    page.keyboard.press("Escape")


def test_everything_listed_is_changed_as_one_step(page: Any, base: str, workspace: Workspace) -> None:
    page.goto(f"{base}/dataset")
    wait_for_tile(page, 0, ".item-name", name_of(0))
    page.keyboard.press("Control+a")
    wait_for_text(page, "#selected-count", f"^{ITEMS} selected")
    assert value(page, "#toasts") == ""
    page.locator("#bulk-classes button").first.click()
    page.wait_for_selector("#toasts .toast-action", timeout=SLOW_MS)
    assert int(workspace.catalog.view.labelled.sum()) == ITEMS
    page.click("#toasts .toast-action")
    page.wait_for_function(
        "() => document.querySelector('#toasts').innerText.includes('Undid')", timeout=SLOW_MS
    )
    assert int(workspace.catalog.view.labelled.sum()) == 0


def test_more_than_can_be_changed_at_once_is_said_as_long_as_it_is_selected(page: Any, base: str) -> None:
    def more(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "total": 150_000})

    page.route("**/api/items?*", more)
    page.goto(f"{base}/dataset")
    wait_for_tile(page, 0, ".item-name", name_of(0))
    page.keyboard.press("Control+a")
    wait_for_text(page, "#toasts", "Only the first 100000 of 150000")
    assert value(page, "#selected-count") == "100000 of 150000 selected"
    page.click(tile(0), modifiers=["Control"])
    wait_for_text(page, "#selected-count", "^99999 selected")
    page.unroute_all(behavior="wait")


def test_the_most_alike_of_a_hundred_thousand(page: Any, base: str, workspace: Workspace) -> None:
    view, encoded = workspace.catalog.view, workspace.encoded
    points = encoded.points(encoded.rows(view.ids))
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    best = np.argsort(-(units @ units[view.positions([77_777])[0]]))[:3]
    page.goto(f"{base}/dataset?like=77777")
    for index, at in enumerate(best):
        wait_for_tile(page, index, ".item-name", view.keys[at].replace(".", r"\."))
    assert value(page, "#shown") == "100000 items"
