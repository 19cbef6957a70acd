"""What a person does on the pages, in a line each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from serving import RunningServer

SHOWN = "() => document.querySelector('#picture').dataset.item"
NEXT_SHOWN = (
    "before => { const now = document.querySelector('#picture').dataset.item; return now && now !== before }"
)
WAIT_MS = 30_000  # of a machine that is busy with something else
LOOK_MS = 50
QUIET_MS = 500


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


def wait_until_learnt(server: RunningServer) -> dict[str, Any]:
    """Until the model knows every label and every item, so that no other comes by itself; the status."""
    status: dict[str, Any] = server.wait_until(
        "/api/status",
        lambda now: (
            now["model"]
            and now["model"]["labels"] == now["items"]["labelled"]
            and now["training"]["state"] == "idle"
            and now["encoding"]["done"] == now["encoding"]["total"]
        ),
        seconds=120,
    )
    return status


def take_everything_back(server: RunningServer) -> int:
    """Undoes every action; how many there were."""
    count = 0
    while requests.post(f"{server.base}/api/undo", json={}, timeout=30).ok:
        count += 1
    return count


def value(page: Any, selector: str) -> str:
    return str(page.inner_text(selector)).strip()


def wait_for_text(page: Any, selector: str, pattern: str) -> str:
    """Waits until there is such an element and its text matches the JavaScript pattern; returns the text."""
    found = page.wait_for_function(
        "([selector, pattern]) => {"
        " const text = document.querySelector(selector)?.innerText.trim();"
        " return text !== undefined && new RegExp(pattern).test(text) && [text]; }",
        arg=[selector, pattern],
        timeout=WAIT_MS,
    )
    (text,) = found.json_value()
    return str(text)


def wait_until(page: Any, condition: Callable[[], Any]) -> None:
    """Waits for what is known on this side; meanwhile the page's events come in."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        page.wait_for_timeout(LOOK_MS)


class Requested:
    """From now on, the page's requests to addresses with `part` in them.

    asked, answered: how many. waiting: those without an answer yet. most: how many waited at a time.
    """

    def __init__(self, page: Any, part: str) -> None:
        self.asked = self.answered = self.most = 0
        self.waiting: set[Any] = set()
        self._part = part
        page.on("request", self._begin)
        page.on("requestfinished", self._finish)
        page.on("requestfailed", lambda request: self.waiting.discard(request))

    def _begin(self, request: Any) -> None:
        if self._part in request.url:
            self.asked += 1
            self.waiting.add(request)
            self.most = max(self.most, len(self.waiting))

    def _finish(self, request: Any) -> None:
        self.answered += request in self.waiting
        self.waiting.discard(request)

    def wait_until_quiet(self, page: Any) -> None:
        """Until all are answered and no more have come for a while."""
        asked, since = -1, 0.0

        def is_quiet() -> bool:
            nonlocal asked, since
            if self.waiting or self.asked != asked:
                asked, since = self.asked, time.monotonic()
            return time.monotonic() - since >= QUIET_MS / 1000

        wait_until(page, is_quiet)


class Held:
    """Requests to some addresses, which wait until they are let go."""

    def __init__(self, page: Any, pattern: str) -> None:
        self.routes: list[Any] = []
        self._is_closed = True
        page.route(pattern, self._take)

    def _take(self, route: Any) -> None:
        if self._is_closed:
            self.routes.append(route)
        else:
            route.continue_()

    def let_go(self) -> None:
        """Those that wait, and all that come."""
        self._is_closed = False
        while self.routes:
            self.routes.pop(0).continue_()


def proposals(page: Any) -> int:
    return int(value(page, "#review-count") or 0)


def open_batch(page: Any, base: str) -> None:
    page.goto(f"{base}/review")
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)


def wrong_cells(page: Any, batch_label: str, truth: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """Ids of the items on screen that are not of the batch's class."""
    cells = [cell.get_attribute("data-item") for cell in page.query_selector_all(".cell[data-item]")]
    return [item for item in cells if truth[names[item]] != batch_label]
