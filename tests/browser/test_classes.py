"""Many classes, and ones with long names: in even rows, and told apart however narrow the window is."""

from __future__ import annotations

from typing import Any

import pytest

from browser.conftest import ServeDigits
from browser.driving import WAIT_MS, question, value, wait_for_text, wait_until
from serving import RunningServer

pytestmark = pytest.mark.browser

COMMON = "Ophiocordyceps unilateralis var. "
ALIKE = [f"{COMMON}{first}{second}" for first in ("al", "no", "vi") for second in "bcdfgklmnp"]
ROWS = """() => {
  const rows = new Map();
  for (const button of document.querySelectorAll("#classes .class-button:not([hidden])")) {
    const { y, left, right } = button.getBoundingClientRect();
    rows.set(y, [...(rows.get(y) ?? []), [left, right]]);
  }
  return [...rows.values()];
}"""
SEEN = """() => [...document.querySelectorAll(".name")].map((name) => {
  const [head, tail] = [name.querySelector(".name-head"), name.querySelector(".name-tail")];
  const isCut = tail.scrollWidth > tail.clientWidth || tail.getBoundingClientRect().right > innerWidth;
  return head.clientWidth > 0 && !isCut ? tail.textContent : null;
})"""
IMPORTED = """async ([module, name, args]) => {
  const { src } = document.querySelector("script[type=module]");
  const found = (await import(new URL(module, src)))[name](...args);
  return found instanceof Map ? [...found] : found;
}"""


@pytest.fixture(scope="module")
def digit_server(serve_digits: ServeDigits) -> RunningServer:
    return serve_digits(80)


@pytest.fixture(scope="module")
def alike_server(serve_digits: ServeDigits) -> RunningServer:
    return serve_digits(80, label={"classes": ALIKE})


def wait_for_rows(page: Any, expected: list[int]) -> list[list[list[float]]]:
    """They are laid out a moment after the window has its size."""
    rows: list[list[list[float]]] = []

    def are_laid_out() -> bool:
        rows[:] = page.evaluate(ROWS)
        return [len(row) for row in rows] == expected

    wait_until(page, are_laid_out)
    return rows


def test_rows_are_even_and_leave_no_gap(page: Any, digit_server: RunningServer) -> None:
    page.goto(digit_server.base)
    question(page)
    for width, expected in ((360, [4, 3, 3]), (800, [5, 5]), (1440, [10])):
        page.set_viewport_size({"width": width, "height": 900})
        rows = wait_for_rows(page, expected)
        lefts, rights = [row[0][0] for row in rows], [row[-1][1] for row in rows]
        assert max(lefts) - min(lefts) < 4 and max(rights) - min(rights) < 4, width
    page.check("#show-guess")  # the buttons are wider then
    wait_for_rows(page, [5, 5])


def test_how_many_are_in_a_row(page: Any, digit_server: RunningServer) -> None:
    page.goto(f"{digit_server.base}/try")
    for (count, most), lengths in {
        (1, 5): [1], (5, 5): [5], (6, 5): [3, 3], (11, 5): [4, 4, 3], (3, 1): [1, 1, 1], (2, 0): [1, 1],
    }.items():  # fmt: skip
        assert page.evaluate(IMPORTED, ["./rows.js", "rowLengths", [count, most]]) == lengths


def test_a_search_keeps_the_width_of_what_is_left(page: Any, alike_server: RunningServer) -> None:
    page.goto(alike_server.base)
    question(page)
    width = page.locator(".class-button").first.bounding_box()["width"]
    page.keyboard.press("/")
    page.keyboard.type("nog")
    wait_for_text(page, "#class-count", "^1 class$")
    assert abs(page.locator(".class-button:visible").bounding_box()["width"] - width) < 1


@pytest.mark.parametrize("width", [360, 1440])
def test_names_that_begin_alike_are_told_apart(page: Any, alike_server: RunningServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(alike_server.base)
    question(page)
    assert page.evaluate(SEEN) == [name.removeprefix(COMMON) for name in ALIKE]
    button = page.locator(".class-button").nth(7)
    assert button.get_attribute("title") == ALIKE[7]
    assert page.get_by_role("button", name=ALIKE[7]).count() == 1
    page.goto(f"{alike_server.base}/review")
    wait_for_text(page, "#nothing-text", "sure enough")
    page.evaluate("() => { document.querySelector('#batch').hidden = false }")
    page.wait_for_function(
        "() => /\\(0\\)$/.test(document.querySelector('#class-choice').options[1].text)", timeout=WAIT_MS
    )
    options = page.evaluate(
        "() => Array.from(document.querySelector('#class-choice').options, (one) => one.text)"
    )
    assert all(text.endswith(f"{name[-3:]} (0)") for text, name in zip(options[1:], ALIKE, strict=True))
    assert max(map(len, options)) <= 40
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_what_is_left_of_a_name_is_no_others(page: Any, digit_server: RunningServer) -> None:
    page.goto(f"{digit_server.base}/try")

    def left(names: list[str]) -> list[str]:
        return [name[cut:] for name, cut in page.evaluate(IMPORTED, ["./names.js", "tellApart", [names]])]

    assert left(["cat", "category"]) == ["cat", "category"]
    assert left(["a long beginning one", "a long beginning two", "none"]) == ["one", "two", "none"]
    both = ["shared alpha one", "shared alpha two", "shared beta one", "shared beta two"]
    assert left(both) == ["alpha one", "alpha two", "beta one", "beta two"]
    assert left(["x" * 40 + "a", "x" * 40 + "b"]) == ["a", "b"]
    assert left(["a name of some length", "a name of some length, longer"]) == ["length", "length, longer"]
    assert value(page, "#labelled").endswith("/ 80")
