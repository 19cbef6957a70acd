"""The Model page: reading the plots, from a cell to its items, roll-back and release, downloads."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from browser.driving import WAIT_MS, label_by_api, value, wait_for_text
from serving import RunningServer, write_config
from support import copy_digits

pytestmark = pytest.mark.browser

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}


def open_model(page: Any, server: RunningServer, viewport: Mapping[str, int]) -> None:
    page.set_viewport_size(viewport)
    page.goto(f"{server.base}/model")
    page.wait_for_selector("#versions table", timeout=WAIT_MS)
    page.wait_for_selector("#curve svg", timeout=WAIT_MS)


def rows(page: Any, selector: str) -> list[list[str]]:
    found = page.query_selector_all(f"{selector} tbody tr")
    return [[cell.inner_text().strip() for cell in row.query_selector_all("th, td")] for row in found]


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_nothing_lies_beside_the_window(
    page: Any, labelled_server: RunningServer, viewport: Mapping[str, int]
) -> None:
    open_model(page, labelled_server, viewport)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= viewport["width"]


def test_the_curve_is_read_by_pointer_by_key_and_as_a_table(
    page: Any, labelled_server: RunningServer
) -> None:
    open_model(page, labelled_server, DESK)
    history = [row for row in labelled_server.get("/api/history")["models"] if row["accuracy"] is not None]
    points = sorted({row["labels"]: row for row in history}.values(), key=lambda row: row["labels"])
    first, last = points[0], points[-1]
    assert value(page, "#curve-value").startswith(f"{last['labels']} labels: {100 * last['accuracy']:.1f} %")
    box = page.locator("#curve svg").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 100)
    assert wait_for_text(page, "#curve-value", f"^{first['labels']} labels").endswith(
        f"n = {first['n']}, model {first['version']}"
    )
    page.focus("#curve-at")
    page.keyboard.press("ArrowRight")
    assert wait_for_text(page, "#curve-value", f"^{points[1]['labels']} labels")
    assert page.get_attribute("#curve-at", "aria-valuetext") == value(page, "#curve-value")
    assert page.locator("#curve svg").get_attribute("role") == "img"
    assert "All values are in the table below" in page.inner_html("#curve svg desc")
    page.focus("#curve-table summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("#curve-table table")
    shown = rows(page, "#curve-table")
    assert [(int(row[0]), int(row[3])) for row in shown] == [(p["labels"], p["n"]) for p in reversed(points)]


def test_classes_and_calibration_are_what_was_measured(page: Any, labelled_server: RunningServer) -> None:
    open_model(page, labelled_server, DESK)
    model = labelled_server.get("/api/model")["model"]

    def share(number: float | None) -> str:
        return "–" if number is None else f"{100 * number:.1f} %"

    assert rows(page, "#class-table") == [
        [one["name"], str(one["labels"]), share(one["precision"]), share(one["recall"]), str(one["n"]),
         share(one["threshold"]) if one["threshold"] < 1 else "–"]
        for one in model["classes"]
    ]  # fmt: skip
    calibration = model["calibration"]
    assert f"{share(calibration['error'])}, n = {calibration['n']}" in value(page, "#calibration-note")
    assert len(page.query_selector_all("#calibration .bin")) == sum(
        one["n"] > 0 for one in calibration["bins"]
    )


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_from_a_cell_to_the_items_it_counted(
    page: Any, labelled_server: RunningServer, viewport: Mapping[str, int], truth: Mapping[str, str]
) -> None:
    """By mouse on the desk, by keyboard alone on the phone."""
    open_model(page, labelled_server, viewport)
    confusion = labelled_server.get("/api/model")["model"]["confusion"]
    cells = [(row, column) for row in range(10) for column in range(10) if confusion[row][column]]
    assert len(page.query_selector_all("#confusion button")) == len(cells)
    row, column = next((cell for cell in cells if cell[0] != cell[1]), cells[-1])
    if viewport is DESK:
        page.click(f'#confusion [data-cell="{row},{column}"]')
    else:
        page.focus("#confusion")
        page.keyboard.press("Tab")
        while page.evaluate("() => document.activeElement.dataset.cell") != f"{row},{column}":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    wait_for_text(page, "#cell-title", f"^{confusion[row][column]} item.* of {row}, ")
    names = [one.inner_text() for one in page.query_selector_all("#cell-list .item-name")]
    assert len(names) == confusion[row][column] and {truth[name] for name in names} == {str(row)}
    assert page.get_attribute('#confusion [aria-pressed="true"]', "data-cell") == f"{row},{column}"
    page.click("#cell-list a")
    page.wait_for_selector("#tiles li[data-item]", timeout=WAIT_MS)
    assert names[0] in value(page, "#tiles")


def test_arrow_keys_go_from_count_to_count(page: Any, labelled_server: RunningServer) -> None:
    open_model(page, labelled_server, DESK)
    confusion = labelled_server.get("/api/model")["model"]["confusion"]
    diagonal = [one for one in range(10) if confusion[one][one]]
    page.focus(f'#confusion [data-cell="{diagonal[0]},{diagonal[0]}"]')
    page.keyboard.press("ArrowUp")  # nothing above: stays
    below = [row for row in range(diagonal[0] + 1, 10) if confusion[row][diagonal[0]]]
    page.keyboard.press("ArrowDown")
    expected = below[0] if below else diagonal[0]
    assert page.evaluate("() => document.activeElement.dataset.cell") == f"{expected},{diagonal[0]}"


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_roll_back_and_release(
    page: Any, labelled_server: RunningServer, truth: Mapping[str, str], viewport: Mapping[str, int]
) -> None:
    """By mouse on the desk, by keyboard alone on the phone."""
    open_model(page, labelled_server, viewport)
    newest = labelled_server.get("/api/status")["model"]["version"]
    oldest = labelled_server.get("/api/models")["models"][-1]
    act(page, f'[data-key="serve-{oldest["version"]}"]', by_key=viewport is PHONE)
    wait_for_text(page, "#pinned-text", f"^Model {oldest['version']} serves until")
    wait_for_text(page, "#model-summary", f"^Model {oldest['version']}, {oldest['labels']} labels")
    wait_for_text(page, "#training", "No")
    label_by_api(labelled_server, truth, 2)  # kept, and not learnt from yet
    page.goto(f"{labelled_server.base}/try")
    wait_for_text(page, "#banners", f"Model {oldest['version']} serves, because it was chosen")
    assert labelled_server.get("/api/status")["model"]["version"] == oldest["version"]
    open_model(page, labelled_server, viewport)
    act(page, "#release", by_key=viewport is PHONE)
    page.wait_for_selector("#pinned", state="hidden", timeout=WAIT_MS)
    wait_for_text(page, "#training", "Yes")
    status = labelled_server.wait_until("/api/status", lambda now: now["model"]["version"] > newest)
    assert status["model"]["labels"] == status["items"]["labelled"] and status["pinned"] is None
    page.wait_for_selector("#banners .banner", state="detached", timeout=WAIT_MS)


def act(page: Any, selector: str, *, by_key: bool) -> None:
    page.wait_for_selector(selector, timeout=WAIT_MS)
    if by_key:
        page.focus(selector)
        page.keyboard.press("Enter")
    else:
        page.click(selector)


def test_downloads(page: Any, labelled_server: RunningServer) -> None:
    open_model(page, labelled_server, DESK)
    version = re.match(r"Model (\d+)", value(page, "#model-summary"))
    assert version is not None
    with page.expect_download() as started:
        page.click("#download")
    assert started.value.suggested_filename == f"task-model-{version[1]}.zip"
    with zipfile.ZipFile(io.BytesIO(Path(started.value.path()).read_bytes())) as archive:
        assert f"task-model-{version[1]}/config.yml" in archive.namelist()
    with page.expect_download() as started:
        page.click("text=Training history (CSV)")
    assert Path(started.value.path()).read_text().startswith("version,created_at,labels,")


def test_before_the_first_model(page: Any, digits: Path, tmp_path: Path) -> None:
    copy_digits(digits / "digits", tmp_path / "pool", 12)
    server = RunningServer(write_config(tmp_path / "task.yml", tmp_path / "pool"))
    try:
        page.goto(f"{server.base}/model")
        assert "10 more labels needed" in wait_for_text(page, "#no-model-text", "needed")
        assert page.is_hidden("#panels") and page.is_hidden("#download")
    finally:
        server.kill()
