"""Haste, slow answers and another server: no label is lost, and none lands where nobody meant it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.conftest import ServeDigits
from browser.dataset_page import labelled, labels_of, open_dataset, selected, tile
from browser.driving import (
    NEXT_SHOWN,
    WAIT_MS,
    Held,
    question,
    take_everything_back,
    value,
    wait_for_text,
    wait_until,
)
from serving import RunningServer, write_config
from support import copy_digits

pytestmark = pytest.mark.browser

RESTART_MS = 90_000  # until a server is up, and the page asks it
MORE_THAN_A_PAGE = 150  # items: of the last 30 the Dataset page knows nothing before they are in sight


@pytest.fixture(scope="module")
def served(serve_digits: ServeDigits) -> RunningServer:
    return serve_digits(MORE_THAN_A_PAGE)


@pytest.fixture
def shared(served: RunningServer) -> Iterator[RunningServer]:
    yield served
    take_everything_back(served)


def by_name(server: RunningServer) -> list[str | None]:
    """Labels in the order of the list."""
    return [label for _, label in sorted(labels_of(server).items())]


def test_a_double_click_where_the_bar_comes_up(page: Any, shared: RunningServer) -> None:
    """The bar of actions appears over the tile between the two clicks."""
    page.set_viewport_size({"width": 360, "height": 740})
    open_dataset(page, shared)
    page.click(tile(0))
    bar = page.locator('#bulk-classes [data-class="4"]').bounding_box()
    at = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2
    page.keyboard.press("Escape")
    assert page.is_hidden("#bulk")
    page.wait_for_timeout(700)
    under = page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('.tile')?.dataset.index", at)
    assert under is not None
    page.mouse.dblclick(*at)
    page.wait_for_selector("#item-dialog[open]", timeout=WAIT_MS)
    wait_for_text(page, "#dialog-name", f"{int(under):04d}")
    assert set(by_name(shared)) == {None}
    page.keyboard.press("Escape")
    page.wait_for_selector("#item-dialog", state="hidden", timeout=WAIT_MS)
    page.wait_for_timeout(700)
    page.locator('#bulk-classes [data-class="4"]').click(click_count=2)  # of somebody who clicks so
    labelled(shared, 1)


def test_what_leaves_the_list_is_selected_no_longer(page: Any, shared: RunningServer) -> None:
    open_dataset(page, shared, "?state=unlabelled")
    page.dblclick(tile(0))  # its first click selects
    page.wait_for_selector("#item-dialog[open]", timeout=WAIT_MS)
    page.keyboard.press("7")
    wait_for_text(page, "#dialog-status", "Saved as 7")
    page.keyboard.press("Escape")
    wait_for_text(page, "#shown", f"^{MORE_THAN_A_PAGE - 1} items")
    page.wait_for_selector("#bulk", state="hidden", timeout=WAIT_MS)
    page.focus(tile(0))
    page.keyboard.press("3")
    labelled(shared, 2)
    assert by_name(shared)[:2] == ["7", "3"]


def test_undo_of_a_message_is_of_what_it_says(page: Any, shared: RunningServer) -> None:
    open_dataset(page, shared)
    page.click(tile(5))
    page.keyboard.press("1")
    page.wait_for_selector("#toasts .toast-action", timeout=WAIT_MS)
    page.dblclick(tile(0))
    page.wait_for_selector("#item-dialog[open]", timeout=WAIT_MS)
    page.keyboard.press("7")
    wait_for_text(page, "#dialog-status", "Saved as 7")
    page.wait_for_selector("#toasts .toast-action", state="detached", timeout=WAIT_MS)


def test_select_all_that_comes_after_the_filter(page: Any, shared: RunningServer) -> None:
    open_dataset(page, shared)
    held = Held(page, "**/api/items/ids?*")
    page.keyboard.press("Control+a")
    wait_until(page, lambda: held.routes)
    page.fill("#search", "0001")
    wait_for_text(page, "#shown", "^1 item$")
    held.let_go()
    page.wait_for_timeout(300)
    assert page.is_hidden("#bulk") and selected(page) == []


def test_a_tile_of_the_list_before(page: Any, shared: RunningServer) -> None:
    """Selected while the filtered list is on its way, and not in it."""
    open_dataset(page, shared)
    held = Held(page, "**/api/items?*")
    page.fill("#search", "0001")
    wait_until(page, lambda: held.routes)
    page.click(tile(4))
    assert selected(page) == [4]
    held.let_go()
    wait_for_text(page, "#shown", "^1 item$")
    assert page.is_hidden("#bulk")


def test_pages_of_the_list_before_come_late(page: Any, shared: RunningServer) -> None:
    open_dataset(page, shared)
    held = Held(page, "**/api/items?*")
    page.select_option("#sort", "-name")
    wait_until(page, lambda: len(held.routes) == 1)
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    wait_until(page, lambda: len(held.routes) == 2)  # the second page, in the order of before
    held.routes.pop(0).continue_()
    page.wait_for_timeout(300)
    held.let_go()
    last = tile(MORE_THAN_A_PAGE - 1)
    page.wait_for_selector(f"{last} .item-name", timeout=WAIT_MS)
    page.wait_for_timeout(300)
    assert value(page, f"{last} .item-name") == "0000.png"


def test_the_next_label_while_the_last_is_being_saved(page: Any, shared: RunningServer) -> None:
    open_dataset(page, shared, "?state=unlabelled")
    held = Held(page, "**/api/labels")
    page.click(tile(0))
    page.keyboard.press("3")
    page.click(tile(1))
    page.keyboard.press("5")
    page.keyboard.press("5")  # twice is once
    page.click(tile(2))
    wait_until(page, lambda: held.routes)
    held.let_go()
    wait_for_text(page, "#shown", f"^{MORE_THAN_A_PAGE - 2} items")
    assert selected(page) == [0]  # the third moved up, and stays selected
    page.keyboard.press("6")
    wait_for_text(page, "#shown", f"^{MORE_THAN_A_PAGE - 3} items")
    assert by_name(shared)[:3] == ["3", "5", "6"]


def test_a_button_let_go_beside_the_grid_draws_no_rectangle(page: Any, shared: RunningServer) -> None:
    open_dataset(page, shared)
    area, box = page.locator("#items-view").bounding_box(), page.locator(tile(0)).bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, area["y"] - 40)
    page.mouse.up()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.move(box["x"] + 300, box["y"] + 120, steps=3)
    assert page.is_hidden(".marquee") and selected(page) == []


def test_another_dataset_at_the_same_address(page: Any, digits: Path, tmp_path: Path) -> None:
    """A tab outlives its server; item 1 of the next dataset is not its item 1."""
    configs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        pool = copy_digits(digits / "digits", tmp_path / name / "pool", 30)
        configs.append(write_config(tmp_path / name / "task.yml", pool))
    server = RunningServer(configs[0])
    port = server.base.rsplit(":", 1)[1]
    try:
        page.goto(server.base)
        item, name = question(page)
        server.stop()
        page.keyboard.press("3")
        page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
        with page.expect_navigation(timeout=RESTART_MS):
            server = RunningServer(configs[1], "--port", port)
        question(page)
        page.wait_for_timeout(1000)
        assert server.get("/api/status")["items"]["labelled"] == 0
        server.stop()
        with page.expect_navigation(timeout=RESTART_MS):
            server = RunningServer(configs[0], "--port", port)
        labelled(server, 1)
        assert labels_of(server)[name] == "3"
    finally:
        server.kill()


def test_long_names_of_classes_stay_in_the_window(page: Any, digits: Path, tmp_path: Path) -> None:
    pool = copy_digits(digits / "digits", tmp_path / "pool", 10)
    classes = ["x" * 120, "<b>bold</b>", "שלום עולם"]
    server = RunningServer(write_config(tmp_path / "task.yml", pool, label={"classes": classes}))
    try:
        page.set_viewport_size({"width": 360, "height": 740})
        page.goto(f"{server.base}/review")
        wait_for_text(page, "#nothing-text", "sure enough")
        page.evaluate("() => { document.querySelector('#batch').hidden = false }")
        assert "<b>bold</b>" in value(page, "#key-help")
        assert page.evaluate("() => document.documentElement.scrollWidth") == 360
    finally:
        server.kill()
