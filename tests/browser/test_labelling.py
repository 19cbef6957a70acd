"""What labelling for hours needs: looking back, flags, keys of one's own, many classes, zoom, two people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from browser.driving import NEXT_SHOWN, WAIT_MS, press_answer, question, value, wait_for_text
from serving import RunningServer, write_config

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}


def shown(page: Any, name: str) -> None:
    wait_for_text(page, "#item-name", f"^{re.escape(name)}$")


def labels_of(server: RunningServer) -> dict[str, str]:
    rows = server.get("/api/items?state=labelled&limit=500")["items"]
    return {row["name"]: row["label"] for row in rows}


def in_view(page: Any, selector: str) -> bool:
    """Whether nothing of it is cut off at the sides."""
    box = page.locator(selector).first.bounding_box()
    return bool(box and box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"])


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["360", "1440"])
def test_keys_and_mouse_narrow_and_wide(
    page: Any, server: RunningServer, truth: Mapping[str, str], viewport: Any
) -> None:
    page.set_viewport_size(viewport)
    page.goto(server.base)
    by_key = press_answer(page, truth)
    item, by_click = question(page)
    page.click(f'.class-button[data-class="{truth[by_click]}"]')
    page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
    page.click("#undo")
    shown(page, by_click)
    page.keyboard.press("s")
    page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
    server.wait_until("/api/status", lambda now: now["items"]["skipped"] == 1)
    assert labels_of(server) == {by_key: truth[by_key]}
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    for selector in ("#stage", "#classes", "#undo", "#skip", "#flag", "#show-guess", ".metrics"):
        assert in_view(page, selector), selector


def test_looking_back_and_changing_an_answer(
    page: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    page.goto(server.base)
    names = [press_answer(page, truth) for _ in range(4)]
    asked = question(page)[1]
    page.keyboard.press("ArrowLeft")
    shown(page, names[3])
    page.keyboard.press("ArrowLeft")
    shown(page, names[2])
    assert f"2 answers back: {truth[names[2]]}" in value(page, "#looking-back-text")
    assert page.locator('.class-button[aria-pressed="true"]').get_attribute("data-class") == truth[names[2]]
    other = str((int(truth[names[2]]) + 1) % 10)
    page.keyboard.press(other)  # and on to the next one
    shown(page, names[3])
    page.keyboard.press("ArrowRight")
    shown(page, asked)
    assert page.locator("#looking-back").is_hidden()
    changed = {name: truth[name] for name in names} | {names[2]: other}
    server.wait_until("/api/answers", lambda _: labels_of(server) == changed)

    page.reload()  # the answers of before are there again, the changed one as the last
    asked = question(page)[1]
    for name in (names[2], names[3], names[1], names[0]):
        page.keyboard.press("ArrowLeft")
        shown(page, name)
    page.keyboard.press("ArrowLeft")  # there is none before the first
    page.keyboard.press("Escape")
    shown(page, asked)
    page.keyboard.press("u")  # takes the change back, not the answer
    page.wait_for_selector("#toasts .toast", timeout=WAIT_MS)
    server.wait_until("/api/answers", lambda _: labels_of(server) == {name: truth[name] for name in names})


def test_undo_faster_than_the_server(page: Any, server: RunningServer, truth: Mapping[str, str]) -> None:
    page.route("**/api/labels", lambda route: (page.wait_for_timeout(150), route.continue_()))
    page.goto(server.base)
    names = [press_answer(page, truth) for _ in range(3)]
    page.keyboard.press("u")
    shown(page, names[2])
    page.keyboard.press("u")
    shown(page, names[1])
    assert press_answer(page, truth) == names[1]
    shown(page, names[2])
    page.unroute_all(behavior="wait")
    server.wait_until("/api/status", lambda now: now["items"]["labelled"] == 2)
    page.reload()
    question(page)
    assert labels_of(server) == {name: truth[name] for name in names[:2]}


def test_a_flag_with_a_note(page: Any, server: RunningServer) -> None:
    page.goto(server.base)
    item, name = question(page)
    page.keyboard.press("f")
    page.keyboard.type("blurred <b>1</b>")  # the 1 is no class here
    page.keyboard.press("Enter")
    wait_for_text(page, "#flag-note", "blurred <b>1</b>")
    server.wait_until("/api/items?state=flagged", lambda found: found["total"] == 1)
    page.keyboard.press("f")
    page.keyboard.type("never saved")
    page.keyboard.press("Escape")
    assert value(page, "#flag-note") == "⚑ blurred <b>1</b>" and question(page) == (item, name)
    page.reload()
    question(page)
    flags = {row["name"]: row["flag"]["note"] for row in server.get("/api/items?state=flagged")["items"]}
    assert flags == {name: "blurred <b>1</b>"}
    page.evaluate("() => sessionStorage.clear()")
    page.click(f'.class-button[data-class="{0}"]')
    page.keyboard.press("ArrowLeft")
    page.click("#flag")
    if page.locator("#flag-remove").is_visible():  # the flagged one may have been asked again first
        page.click("#flag-remove")
        server.wait_until("/api/items?state=flagged", lambda found: found["total"] == 0)


def test_keys_are_listed_and_do_nothing_meanwhile(page: Any, server: RunningServer) -> None:
    page.goto(server.base)
    before = question(page)
    page.keyboard.press("?")
    page.wait_for_selector("#keys-dialog[open]")
    listed = value(page, "#keys-dialog")
    assert "Undo" in listed and "Skip" in listed and "Flag" in listed
    assert len(page.query_selector_all("#keys-classes kbd")) == 10
    page.keyboard.press("1")
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    page.wait_for_selector("#keys-dialog", state="hidden")
    assert question(page) == before


def test_the_guess_comes_only_when_it_is_asked_for(
    page: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    page.goto(server.base)
    server.wait_until("/api/status", lambda now: now["encoding"]["done"] == 400)  # then all are scored
    for _ in range(12):
        press_answer(page, truth)
    server.wait_until("/api/status", lambda now: now["model"] is not None)
    page.reload()
    question(page)
    assert page.locator(".class-button .score").first.inner_text() == ""
    page.check("#show-guess")
    wait_for_text(page, ".class-button .score", r"^\d+ %$")
    shares = [int(one.split()[0]) for one in page.locator(".class-button .score").all_inner_texts()]
    assert len(shares) == 10 and 90 <= sum(shares) <= 110
    page.reload()  # it is remembered
    question(page)
    wait_for_text(page, ".class-button .score", r"^\d+ %$")


def test_two_browsers_are_never_asked_the_same(
    browser: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    for each in pages:
        each.goto(server.base)
    names = [press_answer(each, truth) for _ in range(15) for each in pages]
    assert len(set(names)) == 30
    assert question(pages[0]) != question(pages[1])
    server.wait_until("/api/status", lambda now: now["items"]["labelled"] == 30)
    for context in contexts:
        context.close()


def test_keys_of_ones_own(page: Any, digits: Path, tmp_path: Path) -> None:
    directory = copy_some(digits, tmp_path / "pool", 20)
    config = write_config(
        tmp_path / "task.yml",
        directory,
        label={"classes": ["Even", "Odd"], "keys": {"Even": "e", "Odd": "0"}},
    )
    server = RunningServer(config)
    try:
        page.goto(server.base)
        item, first = question(page)
        assert page.locator(".class-button kbd").all_inner_texts() == ["e", "0"]
        page.keyboard.press("1")
        assert question(page)[0] == item
        page.keyboard.press("e")
        page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
        item, second = question(page)
        page.keyboard.press("0")
        page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
        server.wait_until("/api/status", lambda now: now["items"]["labelled"] == 2)
        assert labels_of(server) == {first: "Even", second: "Odd"}
    finally:
        server.kill()


def copy_some(digits: Path, target: Path, count: int) -> Path:
    target.mkdir()
    for file in sorted((digits / "digits").iterdir())[:count]:
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_two_hundred_classes_by_typing(page: Any, digits: Path, tmp_path: Path) -> None:
    classes = [f"species {n}" for n in range(196)] + ["Émeu", "grey heron", "Heron", "night-heron"]
    directory = copy_some(digits, tmp_path / "pool", 20)
    server = RunningServer(write_config(tmp_path / "task.yml", directory, label={"classes": classes}))
    try:
        for viewport in (PHONE, DESK):
            page.set_viewport_size(viewport)
            page.goto(server.base)
            question(page)
            assert len(page.query_selector_all(".class-button")) == 200
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
            assert page.locator("#stage").bounding_box()["height"] >= 200
        given = {}
        for typed, chosen in (
            ("emeu", "Émeu"),
            ("hero", "Heron"),
            ("hero↓", "grey heron"),
            ("es 150", "species 150"),
        ):
            item, name = question(page)
            if page.evaluate("() => document.activeElement.id") != "class-filter":
                page.keyboard.press("/")
            page.keyboard.type(typed.rstrip("↓"))
            if typed.endswith("↓"):
                page.keyboard.press("ArrowDown")
            page.wait_for_function(
                "name => document.querySelector('.marked')?.dataset.class === name",
                arg=chosen,
                timeout=WAIT_MS,
            )
            page.keyboard.press("Enter")
            page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
            given[name] = chosen
        server.wait_until("/api/status", lambda now: now["items"]["labelled"] == 4)
        assert labels_of(server) == given
        page.keyboard.press("Escape")
        item, _ = question(page)
        page.keyboard.press("1")  # the keys work again
        page.wait_for_function(NEXT_SHOWN, arg=item, timeout=WAIT_MS)
    finally:
        server.kill()


def scale(page: Any) -> float:
    return float(page.inner_text("#zoom-reset").split()[0]) / 100


def test_zoom_and_the_original_on_demand(page: Any, tmp_path: Path) -> None:
    """A photograph on its side, larger than the screen: upright, scaled down, and whole on a closer look."""
    pool = tmp_path / "pool"
    pool.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.effect_noise((3000, 2000), 60).convert("RGB").save(pool / "large.jpg", exif=exif)
    server = RunningServer(write_config(tmp_path / "task.yml", pool, label={"classes": ["a", "b"]}))
    natural = (
        "() => { const i = document.querySelector('#picture img'); return [i.naturalWidth, i.naturalHeight] }"
    )
    try:
        page.goto(server.base)
        question(page)
        width, height = page.evaluate(natural)
        assert width < height <= 1536  # upright, and no larger than the screen asks for
        box = page.locator("#stage").bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(*middle)
        page.mouse.wheel(0, -400)
        page.wait_for_function("() => parseInt(document.querySelector('#zoom-reset').textContent) > 150")
        for _ in range(5):
            page.keyboard.press("+")
        page.wait_for_function(
            "() => document.querySelector('#picture img').naturalHeight === 3000", timeout=WAIT_MS
        )
        assert page.evaluate(natural) == [2000, 3000]
        transform = "() => document.querySelector('#picture img').style.transform"
        before = page.evaluate(transform)
        page.mouse.down()
        page.mouse.move(middle[0] + 60, middle[1] + 40, steps=4)
        page.mouse.up()
        dragged = page.evaluate(transform)
        assert dragged != before
        page.keyboard.press("Shift+ArrowRight")
        assert page.evaluate(transform) != dragged
        page.keyboard.press("0")
        assert scale(page) == 1 and page.evaluate(transform) == ""
        page.mouse.dblclick(*middle)
        assert scale(page) == 3
        page.click("#zoom-out")
        assert 1 < scale(page) < 3
    finally:
        server.kill()


def test_a_description_in_markdown_runs_nothing(page: Any, digits: Path, tmp_path: Path) -> None:
    directory = copy_some(digits, tmp_path / "pool", 3)
    text = "Is it *large*?\n\n- yes\n- no\n\n<script>alert(1)</script><img src=x onerror=alert(1)>"
    server = RunningServer(write_config(tmp_path / "task.yml", directory, task={"description": text}))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    try:
        page.goto(server.base)
        question(page)
        assert page.inner_text("#task-description em") == "large"
        page.click("#more-description")
        assert page.locator("#task-description li").count() == 2
        assert "<script>alert(1)</script>" in value(page, "#task-description")
        assert page.locator("#task-description :is(script, img)").count() == 0 and dialogs == []
    finally:
        server.kill()


def test_the_bar_at_the_top(page: Any, server: RunningServer, truth: Mapping[str, str]) -> None:
    page.goto(server.base)
    assert page.locator("#review-link").is_hidden()  # nothing waits
    for _ in range(14):
        press_answer(page, truth)
    wait_for_text(page, "#labelled", "^14 / 400")
    assert float(page.get_attribute("#labelled-progress", "value")) == 14
    wait_for_text(page, "#training-detail", r"^model \d+, \d+(\.\d)? s ago$")
    wait_for_text(page, "#training-doing", "^(fitting|scoring|up to date)$")
    wait_for_text(page, "#time-per-label", r"^\d+\.\d s$")
    wait_for_text(page, "#minutes-left", r"^(< 1|\d+) min left$")


def test_two_fingers_zoom(browser: Any, server: RunningServer) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    page.goto(server.base)
    question(page)
    box = page.locator("#stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = context.new_cdp_session(page)

    def touch(kind: str, *apart: float) -> None:
        points = [{"x": x + side * each, "y": y, "id": side} for each in apart for side in (-1, 1)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 20)
    for apart in range(25, 65, 5):
        touch("touchMove", apart)
    touch("touchEnd")
    assert scale(page) == pytest.approx(3, abs=0.3)
    context.close()
