"""Review by mouse, by finger and by keyboard alone, on a telephone and on a desk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from browser.conftest import ServeDigits
from browser.driving import WAIT_MS, label_by_api, open_batch, value, wait_for_text, wait_until_learnt
from serving import RunningServer

pytestmark = pytest.mark.browser

WIDTHS = [pytest.param(360, id="360px"), pytest.param(1440, id="1440px")]
SHOWN = "() => [...document.querySelectorAll('.cell')].map((cell) => Number(cell.dataset.item))"
COLUMNS = "() => getComputedStyle(document.querySelector('#grid')).gridTemplateColumns.split(' ').length"
FOCUSED = "() => [...document.querySelectorAll('.cell')].indexOf(document.activeElement)"


@pytest.fixture(scope="module")
def proposing(serve_digits: ServeDigits, truth: Mapping[str, str]) -> RunningServer:
    """400 digits, as many of them labelled as it takes for two batches. Shared: what a test confirms it takes
    back."""
    server = serve_digits(400, auto_label={"confidence": 0.8, "batch_size": 26})
    for done in range(10, 201, 10):
        label_by_api(server, truth, 10)
        enough = done >= 80 and sum(n >= 20 for n in wait_until_learnt(server)["proposed"].values()) >= 2
        if enough:
            return server
    raise AssertionError("never two batches")


def open_at(page: Any, server: RunningServer, width: int) -> list[dict[str, Any]]:
    """Opens Review once the model is the last for now; the items of the batch, as the server gave them."""
    page.set_viewport_size({"width": width, "height": 800})
    wait_until_learnt(server)
    with page.expect_response(re.compile("/api/batches/next")) as answered:
        open_batch(page, server.base)
    return list(answered.value.json()["items"])


@contextmanager
def no_other_model(server: RunningServer) -> Iterator[None]:
    """The present model goes on serving, and with it the batch that it proposed."""
    version = wait_until_learnt(server)["model"]["version"]
    requests.post(f"{server.base}/api/models/{version}/serve", json={}, timeout=30).raise_for_status()
    try:
        yield
    finally:
        requests.post(f"{server.base}/api/models/release", json={}, timeout=30).raise_for_status()


def labelled(server: RunningServer) -> int:
    return int(server.get("/api/status")["items"]["labelled"])


def label_of_batch(page: Any) -> str:
    found = re.search(r"“(.)”", value(page, "#headline"))
    assert found is not None
    return found[1]


def ticked(page: Any) -> list[bool]:
    return [cell.get_attribute("aria-checked") == "true" for cell in page.query_selector_all(".cell")]


def wait_for_focus(page: Any, index: int) -> None:
    """A dialog that closes gives the focus back a moment later."""
    page.wait_for_function(
        "n => [...document.querySelectorAll('.cell')].indexOf(document.activeElement) === n",
        arg=index,
        timeout=WAIT_MS,
    )


def confirmed(page: Any, press: str | None = None) -> dict[str, Any]:
    """Confirms by the button or a key; the server's answer, and under `sent` what was sent."""
    with page.expect_response(re.compile(r"/api/batches/\d+$"), timeout=WAIT_MS) as answered:
        page.click("#confirm") if press is None else page.keyboard.press(press)
    return {**answered.value.json(), "sent": answered.value.request.post_data_json["rejected"]}


@pytest.mark.parametrize("width", WIDTHS)
def test_by_mouse(page: Any, proposing: RunningServer, width: int) -> None:
    known = labelled(proposing)
    batch = open_at(page, proposing, width)
    cells = page.locator(".cell")
    cells.nth(1).click()
    cells.nth(4).click(modifiers=["Shift"])
    assert ticked(page)[:6] == [True, False, False, False, False, True]
    left_out = set(page.evaluate(SHOWN)[1:5])

    page.select_option("#order", "sure")
    scores = {one["item"]: one["score"] for one in batch}
    order = page.evaluate(SHOWN)
    assert [scores[item] for item in order] == sorted(scores.values())
    still = {item for item, is_ticked in zip(order, ticked(page), strict=True) if not is_ticked}
    assert still == left_out, "a tick stays with its image"
    page.select_option("#order", "similar")
    places = {one["item"]: one["similar"] for one in batch}
    assert [places[item] for item in page.evaluate(SHOWN)] == list(range(len(batch)))

    before = page.evaluate(COLUMNS)
    page.locator("#size").fill("48")
    assert page.evaluate(COLUMNS) > before
    dense = page.evaluate(COLUMNS)
    assert {one["item"] for one in confirmed(page)["sent"]} == left_out
    page.click("#toasts .toast-action")  # undo
    proposing.wait_until("/api/status", lambda now: now["items"]["labelled"] == known)
    page.reload()
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    assert page.input_value("#order") == "similar" and page.evaluate(COLUMNS) == dense
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", WIDTHS)
def test_by_keyboard(page: Any, proposing: RunningServer, width: int) -> None:
    known = labelled(proposing)
    batch = open_at(page, proposing, width)
    label = label_of_batch(page)
    columns, last = page.evaluate(COLUMNS), len(batch) - 1
    page.locator(".cell").first.focus()
    for key, expected in (
        ("ArrowLeft", 0), ("ArrowRight", 1), ("ArrowDown", 1 + columns), ("ArrowUp", 1), ("End", last),
        ("ArrowDown", last), ("ArrowUp", last - columns), ("Home", 0),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert page.evaluate(FOCUSED) == expected, key
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert ticked(page)[:4] == [False, False, False, True]
    page.keyboard.press("ArrowRight")
    other = next(digit for digit in "0123456789" if digit != label)
    page.keyboard.press(other)
    assert page.locator(".cell").nth(3).locator(".badge").inner_text() == other
    page.keyboard.press("ArrowRight")
    page.keyboard.press(other)
    page.keyboard.press(label)  # its own class: ticked again
    assert ticked(page)[4] and page.locator(".cell").nth(4).locator(".badge").inner_text() == ""

    shown = page.evaluate(COLUMNS)
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.evaluate(COLUMNS) > shown
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert page.evaluate(COLUMNS) == shown

    page.locator("#size").focus()  # Enter is of no use to a slider
    items = page.evaluate(SHOWN)
    answer = confirmed(page, "Enter")
    assert answer["rejected"] == 4 and answer["confirmed"] == len(batch) - 4
    page.wait_for_selector("#toasts .toast", timeout=WAIT_MS)
    relabelled = proposing.get(f"/api/items?state=labelled&limit=500&label={other}")["items"]
    assert [one["item"] for one in relabelled if one["source"] == "human" and one["item"] in items] == [
        items[3]
    ]
    page.wait_for_selector("#confirm:enabled, #nothing:not([hidden])", timeout=WAIT_MS)
    page.keyboard.press("u")
    proposing.wait_until("/api/status", lambda now: now["items"]["labelled"] == known)


def test_a_larger_look(page: Any, proposing: RunningServer) -> None:
    batch = open_at(page, proposing, 1440)
    label = label_of_batch(page)
    other = next(digit for digit in "0123456789" if digit != label)
    items, names = page.evaluate(SHOWN), {one["item"]: one["name"] for one in batch}
    page.locator(".cell").nth(2).dblclick()
    page.wait_for_selector("#preview[open]")
    assert value(page, "#preview-name") == names[items[2]] and ticked(page)[2], "two clicks change nothing"
    assert value(page, "#preview-state") == f"Selected as {label}"
    page.keyboard.press("ArrowRight")
    assert value(page, "#preview-name") == names[items[3]]
    page.keyboard.press("Space")
    assert value(page, "#preview-state") == "Set aside" and not ticked(page)[3]
    page.keyboard.press(other)
    assert value(page, "#preview-state") == f"Relabelled {other}"
    page.keyboard.press("Enter")  # closes; confirms nothing
    page.wait_for_selector("#preview", state="hidden")
    wait_for_focus(page, 3)
    assert value(page, "#confirm-text") == f"Confirm {len(batch) - 1}"
    page.keyboard.press("z")
    page.wait_for_selector("#preview[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#preview", state="hidden")
    wait_for_focus(page, 3)


def test_a_long_press_looks_and_a_tap_unselects(browser: Any, proposing: RunningServer) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_batch(page, proposing.base)
    page.locator(".cell").nth(1).tap()
    assert ticked(page)[:3] == [True, False, True]
    box = page.locator(".cell").nth(2).bounding_box()
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touch = context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    page.wait_for_selector("#preview[open]", timeout=WAIT_MS)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(100)
    page.keyboard.press("Escape")
    page.wait_for_selector("#preview", state="hidden")
    assert ticked(page)[:3] == [True, False, True]
    context.close()


def test_one_class_at_will(page: Any, proposing: RunningServer) -> None:
    open_at(page, proposing, 1440)
    counts = proposing.get("/api/status")["proposed"]
    most = label_of_batch(page)
    assert counts[most] == max(counts.values())
    other = next(name for name, count in counts.items() if count and name != most)
    wait_for_text(page, f'#class-choice option[value="{other}"]', rf"^{other} \({counts[other]}\)$")
    page.select_option("#class-choice", other)
    wait_for_text(page, "#headline", f"“{other}”")
    page.reload()
    wait_for_text(page, "#headline", f"“{other}”")
    page.select_option("#class-choice", "")
    wait_for_text(page, "#headline", f"“{most}”")
    none_of = next((name for name, count in counts.items() if not count), None)
    if none_of is not None:
        page.select_option("#class-choice", none_of)
        wait_for_text(page, "#nothing-title", f"Nothing proposed as “{none_of}”")
        page.click("#any-class")
        wait_for_text(page, "#headline", f"“{most}”")


def test_where_keys_lead_in_a_grid_with_a_short_last_row(page: Any, proposing: RunningServer) -> None:
    """Eleven cells, four in a row: 0-3, 4-7, 8-10."""
    page.goto(f"{proposing.base}/review")
    asked = [
        ("ArrowDown", 7), ("ArrowDown", 9), ("ArrowUp", 2), ("ArrowUp", 10), ("PageDown", 3), ("PageDown", 0),
        ("PageUp", 9), ("End", 1), ("Home", 10), ("ArrowRight", 10), ("ArrowLeft", 0), ("x", 3),
    ]  # fmt: skip
    found = page.evaluate(
        """async (asked) => {
          const { src } = document.querySelector("script[type=module]");
          const { gridTarget } = await import(new URL("./gridkeys.js", src));
          return asked.map(([key, index]) => gridTarget(key, index, { count: 11, columns: 4, rows: 2 }));
        }""",
        asked,
    )
    assert found == [10, 9, 2, 6, 10, 8, 1, 10, 0, 10, 0, None]


def chosen(page: Any) -> dict[str, tuple[bool, str]]:
    """By item: whether it is ticked, and what it was relabelled."""
    return {
        cell.get_attribute("data-item"): (
            cell.get_attribute("aria-checked") == "true",
            cell.query_selector(".badge").inner_text(),
        )
        for cell in page.query_selector_all(".cell")
    }


@pytest.mark.parametrize("status", [None, 500], ids=["no answer", "500"])
def test_pictures_that_fail_for_a_moment(page: Any, proposing: RunningServer, status: int | None) -> None:
    page.route("**/media/**", lambda route: route.abort() if status is None else route.fulfill(status=status))
    page.goto(f"{proposing.base}/review")
    page.wait_for_function(
        "() => { const cells = [...document.querySelectorAll('.cell')];"
        " return cells.length && cells.every((cell) => cell.classList.contains('late')) }",
        timeout=WAIT_MS,
    )
    page.wait_for_timeout(700)  # they are asked for again, in vain
    count = page.locator(".cell").count()
    wait_for_text(page, "#confirm-text", f"^Waiting for {count} images$")
    assert all(ticked(page)) and page.is_disabled("#confirm")
    page.keyboard.press("Enter")
    page.locator(".cell").first.click()  # who sees nothing may leave it out
    wait_for_text(page, "#confirm-text", f"^Waiting for {count - 1} images$")
    page.unroute_all(behavior="wait")
    wait_for_text(page, "#confirm-text", f"^Confirm {count - 1}$")
    assert ticked(page) == [False] + [True] * (count - 1)
    assert page.evaluate("() => [...document.querySelectorAll('.cell img')].every((img) => img.naturalWidth)")
    assert page.locator(".late, .cell-note").count() == 0


def test_a_picture_that_never_comes_unticks_its_cell_alone(page: Any, proposing: RunningServer) -> None:
    gone: list[str] = []

    def take(route: Any) -> None:
        if "thumbnails" in route.request.url:
            route.fulfill(json={"thumbnails": {}})  # then each is asked for by itself
            return
        item = route.request.url.split("/media/")[1].split("?")[0]
        gone[:] = gone or [item]
        if item == gone[0]:
            error = {"code": "broken_item", "message": "it is gone", "details": []}
            route.fulfill(status=404, json={"error": error})
        else:
            route.continue_()

    page.route("**/media/**", take)
    open_batch(page, proposing.base)
    page.wait_for_selector(".cell-note", timeout=WAIT_MS)
    assert [item for item, (is_ticked, _) in chosen(page).items() if not is_ticked] == gone
    page.unroute_all(behavior="wait")


def test_undo_of_an_earlier_batch_keeps_what_was_changed_in_this_one(
    page: Any, proposing: RunningServer
) -> None:
    open_at(page, proposing, 1440)
    more = confirmed(page)["confirmed"]
    with no_other_model(proposing):
        open_batch(page, proposing.base)
        label, number = label_of_batch(page), page.get_attribute("#batch", "data-batch")
        page.locator(".cell").nth(0).click()
        page.locator(".cell").nth(2).focus()
        page.keyboard.press(next(digit for digit in "0123456789" if digit != label))
        before = chosen(page)
        assert [is_ticked for is_ticked, _ in before.values()][:4] == [False, True, False, True]
        with page.expect_response(re.compile("/api/batches/next"), timeout=WAIT_MS) as answered:
            page.keyboard.press("u")
        wait_for_text(page, "#toasts", f"Undid a batch of {more}")
        assert str(answered.value.json()["batch"]) == number
        page.wait_for_timeout(300)
        assert chosen(page) == before
        assert page.evaluate(FOCUSED) == 2 and page.is_enabled("#confirm")


def test_all_keys_are_in_a_dialog(page: Any, proposing: RunningServer) -> None:
    open_at(page, proposing, 360)
    assert "(0, 1, 2, …)" in value(page, "#key-help")
    page.locator(".cell").first.focus()
    page.keyboard.press("?")
    page.wait_for_selector("#keys-dialog[open]")
    listed = value(page, "#keys-dialog")
    assert all(f"\n{digit}\n" in listed for digit in "0123456789"[:-1]) and "Confirm" in listed
    page.keyboard.press("9")
    page.keyboard.press("Escape")
    page.wait_for_selector("#keys-dialog", state="hidden")
    assert all(ticked(page))
    page.click("#keys")
    page.wait_for_selector("#keys-dialog[open]")
