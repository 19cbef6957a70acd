"""What waits to be sent: nothing lost, nothing that blocks the rest, nothing old after what is new."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from browser.conftest import ServeDigits
from browser.dataset_page import labelled, labels_of, open_dataset, tile
from browser.driving import NEXT_SHOWN, WAIT_MS, question, take_everything_back, wait_for_text, wait_until
from serving import RunningServer

pytestmark = pytest.mark.browser

FAILURE = json.dumps({"error": {"code": "internal", "message": "it went wrong", "details": []}})


@pytest.fixture(scope="module")
def served(serve_digits: ServeDigits) -> RunningServer:
    return serve_digits(200)


@pytest.fixture
def server(served: RunningServer) -> Iterator[RunningServer]:
    yield served
    take_everything_back(served)


def fail_on(page: Any, wanted: str) -> None:
    """Answers 500 to whatever has this in it."""

    def take(route: Any) -> None:
        if wanted in (route.request.post_data or ""):
            route.fulfill(status=500, body=FAILURE, content_type="application/json")
        else:
            route.continue_()

    page.route("**/api/labels", take)


def press(page: Any, key: str) -> tuple[str, str]:
    """Answers by a key; the item's id and name."""
    item, name = question(page)
    page.keyboard.press(key)
    page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
    return item, name


def aside(page: Any, pattern: str) -> None:
    """Waits until the banner says so, trying again sooner than the page would."""

    def is_said() -> bool:
        page.evaluate("() => dispatchEvent(new Event('online'))")
        return bool(re.search(pattern, page.inner_text("#banners")))

    wait_until(page, is_said)


def test_what_the_server_fails_on_does_not_hold_up_the_rest(page: Any, server: RunningServer) -> None:
    page.goto(server.base)
    item, name = question(page)
    fail_on(page, f'"item":{item},')
    press(page, "3")
    others = [press(page, "5")[1] for _ in range(3)]
    aside(page, f"{name} \\(3\\) is not saved.*it went wrong")
    wait_for_text(page, "#labelled", "^3 /")
    assert {one: label for one, label in labels_of(server).items() if label} == dict.fromkeys(others, "5")

    page.reload()  # it is kept, and not asked about
    aside(page, name)
    assert question(page)[1] not in [name, *others]
    assert page.evaluate("() => Object.values(localStorage).join().includes('it went wrong')")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    labelled(server, 4)
    assert labels_of(server)[name] == "3"
    wait_for_text(page, "#banners", "^$")
    assert not page.evaluate("() => Object.values(localStorage).join().includes('client_id')")


def test_what_was_set_aside_is_dropped_only_by_a_person(page: Any, server: RunningServer) -> None:
    page.goto(server.base)
    item, name = question(page)
    fail_on(page, f'"item":{item},')
    press(page, "3")
    aside(page, name)
    page.get_by_role("button", name="Drop").click()
    wait_for_text(page, "#toasts", f"Dropped: {name}")
    wait_for_text(page, "#banners", "^$")
    page.get_by_role("button", name="Keep").click()
    aside(page, name)
    page.get_by_role("button", name="Drop").click()
    page.reload()
    question(page)
    page.unroute_all()
    page.wait_for_timeout(500)
    assert labels_of(server)[name] is None


@pytest.mark.parametrize("status", [503, None], ids=["not ready", "no answer"])
def test_a_server_that_is_away_sets_nothing_aside(
    page: Any, server: RunningServer, status: int | None
) -> None:
    page.goto(server.base)
    question(page)
    tries: list[int] = []

    def take(route: Any) -> None:
        tries.append(1)
        if status is None:
            route.abort()
        else:
            route.fulfill(status=status, body=FAILURE, content_type="application/json")

    page.route("**/api/labels", take)
    press(page, "3")

    def is_tried() -> bool:
        page.evaluate("() => dispatchEvent(new Event('online'))")  # which does not wait any longer
        return len(tries) > 8

    wait_until(page, is_tried)
    assert "Kept here and sent again" in page.inner_text("#banners")
    assert page.get_by_role("button", name="Drop").count() == 0
    page.unroute_all()
    labelled(server, 1)


def test_a_changed_answer_takes_the_place_of_the_one_set_aside(page: Any, server: RunningServer) -> None:
    page.goto(server.base)
    _, name = question(page)
    fail_on(page, '"label":"3"')
    press(page, "3")
    aside(page, name)
    page.keyboard.press("ArrowLeft")
    wait_for_text(page, "#item-name", name)
    page.keyboard.press("4")
    wait_for_text(page, "#labelled", "^1 /")
    wait_for_text(page, "#banners", "^$")
    assert labels_of(server)[name] == "4"


def test_an_old_flag_never_comes_after_a_new_one(page: Any, server: RunningServer) -> None:
    """A tab without an answer holds a flag, which a second tab delivers and then changes."""
    page.goto(server.base)
    _, name = question(page)
    page.route("**/api/flags", lambda route: route.abort())
    page.keyboard.press("f")
    page.keyboard.type("old")
    page.keyboard.press("Enter")
    wait_for_text(page, "#banners", "not saved yet")
    second = page.context.new_page()
    open_dataset(second, server, f"?q={name}")
    server.wait_until("/api/items?state=flagged", lambda now: now["total"] == 1)
    second.dblclick(tile(0))
    second.fill("#dialog-note", "new")
    second.press("#dialog-note", "Enter")
    wait_for_text(second, "#dialog-history", "Flagged: new")
    page.unroute_all()
    page.evaluate("() => dispatchEvent(new Event('online'))")
    wait_for_text(page, "#banners", "^$")
    page.wait_for_timeout(300)
    (flagged,) = server.get("/api/items?state=flagged")["items"]
    assert (flagged["name"], flagged["flag"]["note"]) == (name, "new")
