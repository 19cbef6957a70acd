"""What a person does on the pages, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from serving import RunningServer

SHOWN = "() => document.querySelector('#picture').dataset.item"
NEXT_SHOWN = (
    "before => { const now = document.querySelector('#picture').dataset.item; return now && now !== before }"
)
WAIT_MS = 20_000


def question(page: Any) -> tuple[str, str]:
    """(item id, item name) of the question on screen."""
    page.wait_for_function(SHOWN, timeout=WAIT_MS)
    return page.get_attribute("#picture", "data-item"), page.inner_text("#item-name").strip()


def press_answer(page: Any, truth: Mapping[str, str]) -> str:
    """Answers the question on screen by its key and waits for the next; returns the item's name."""
    item, name = question(page)
    page.keyboard.press(truth[name])
    page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
    return name


def label_by_api(server: RunningServer, truth: Mapping[str, str], count: int) -> None:
    """Answers `count` questions rightly, without a page."""
    questions = server.get(f"/api/questions?n={count}&client=script")["questions"]
    answers = [{"item": one["item"], "label": truth[one["name"]]} for one in questions]
    requests.post(f"{server.base}/api/labels", json={"labels": answers}, timeout=30).raise_for_status()


def wait_for_labels(server: RunningServer, count: int) -> None:
    """Until a model knows so many labels."""
    server.wait_until(
        "/api/status", lambda now: now["model"] and now["model"]["labels"] == count, seconds=120
    )


def value(page: Any, selector: str) -> str:
    return str(page.inner_text(selector)).strip()


def wait_for_text(page: Any, selector: str, pattern: str) -> str:
    """Waits until the element's text matches the JavaScript pattern; returns it."""
    page.wait_for_function(
        "([selector, pattern]) =>"
        " new RegExp(pattern).test(document.querySelector(selector).innerText.trim())",
        arg=[selector, pattern],
        timeout=WAIT_MS,
    )
    return value(page, selector)


def proposals(page: Any) -> int:
    return int(value(page, "#review-count") or 0)


def open_batch(page: Any, base: str) -> None:
    page.goto(f"{base}/review")
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)


def wrong_cells(page: Any, batch_label: str, truth: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """Ids of the items on screen that are not of the batch's class."""
    cells = [cell.get_attribute("data-item") for cell in page.query_selector_all(".cell[data-item]")]
    return [item for item in cells if truth[names[item]] != batch_label]
