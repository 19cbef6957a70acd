"""The Dataset page as a person uses it: by mouse and by keyboard, on a desk and on a phone."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from browser.conftest import ServeDigits
from browser.dataset_page import (
    focused,
    labelled,
    labels_of,
    open_dataset,
    selected,
    tile,
    wait_for_selection,
    wait_for_tile,
)
from browser.driving import WAIT_MS, take_everything_back, value, wait_for_text
from serving import RunningServer, write_config
from support import copy_digits

pytestmark = pytest.mark.browser

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
PLACE = "() => [scrollY, location.search]"
REST_MS = 700  # the address follows a quarter of a second later
HOSTILE = "<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def served(serve_digits: ServeDigits) -> RunningServer:
    """120 digits, for the tests that leave no file behind; each takes back what it did."""
    return serve_digits(120)


@pytest.fixture
def shared(served: RunningServer) -> Iterator[RunningServer]:
    yield served
    take_everything_back(served)
    flags = {"items": [row["item"] for row in served.get("/api/items?state=flagged")["items"]]}
    if flags["items"]:
        requests.post(f"{served.base}/api/flags/many", json={**flags, "flagged": False}, timeout=30)


@pytest.fixture
def pool(digits: Path, tmp_path: Path) -> Path:
    return copy_digits(digits / "digits", tmp_path / "pool", 120)


@pytest.fixture
def server(pool: Path, tmp_path: Path) -> Iterator[RunningServer]:
    running = RunningServer(write_config(tmp_path / "task.yml", pool))
    yield running
    running.kill()


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["1440", "360"])
def test_select_and_label_by_mouse(page: Any, shared: RunningServer, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    open_dataset(page, shared)
    page.click(tile(1))
    assert selected(page) == [1]
    page.click(tile(3), modifiers=["Control"])
    assert selected(page) == [1, 3]
    page.click(tile(5), modifiers=["Shift"])
    wait_for_selection(page, [3, 4, 5])
    page.click(tile(2))
    page.click(f"{tile(4)} .tile-tick")  # a tick adds to what is selected
    assert selected(page) == [2, 4]
    assert value(page, "#selected-count") == "2 selected"
    page.click('#bulk-classes [data-class="7"]')
    labelled(shared, 2)
    assert [name for name, label in labels_of(shared).items() if label == "7"] == ["0002.png", "0004.png"]
    wait_for_tile(page, 2, ".tile-state", "^7")
    wait_for_selection(page, [])
    page.click("#toasts .toast-action")
    labelled(shared, 0)
    page.click("#select-all")
    wait_for_text(page, "#selected-count", "^120 selected")
    page.click("#bulk-clear")
    assert page.is_hidden("#bulk")


def test_a_rectangle_is_drawn_and_labelled_in_one_step(page: Any, shared: RunningServer) -> None:
    page.set_viewport_size(DESK)
    open_dataset(page, shared)
    first, last = page.locator(tile(1)).bounding_box(), page.locator(tile(11)).bounding_box()
    columns = page.evaluate(
        "() => new Set(Array.from(document.querySelectorAll('#tiles li'),"
        " cell => cell.getBoundingClientRect().x)).size"
    )
    page.mouse.move(first["x"] + 20, first["y"] + 60)
    page.mouse.down()
    page.mouse.move(last["x"] + 20, last["y"] + 60, steps=8)
    assert page.is_visible(".marquee")
    page.mouse.up()
    wide = 11 % columns  # from column 1 to column 3, in two rows
    expected = [row * columns + column for row in (0, 1) for column in range(1, wide + 1)]
    wait_for_selection(page, expected)
    page.mouse.move(first["x"] + 20, last["y"] + 400)
    page.keyboard.press("3")
    labelled(shared, len(expected))
    page.keyboard.press("Control+z")
    labelled(shared, 0)
    wait_for_text(page, "#toasts", f"Undid the change of {len(expected)} items")


def test_dragging_to_the_edge_scrolls_and_selects_what_comes(page: Any, shared: RunningServer) -> None:
    page.set_viewport_size(PHONE)
    open_dataset(page, shared)
    box = page.locator(tile(0)).bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(300, 735, steps=5)
    page.wait_for_function("() => scrollY > 1500", timeout=WAIT_MS)
    page.mouse.up()
    assert int(value(page, "#selected-count").split()[0]) >= 12


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["1440", "360"])
def test_by_keyboard_alone(page: Any, shared: RunningServer, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    open_dataset(page, shared)
    page.keyboard.press("/")
    page.keyboard.type("00")
    wait_for_text(page, "#shown", "^101 items")
    page.keyboard.press("Enter")
    assert focused(page) == 0
    for key in ("ArrowRight", "ArrowRight", "Space", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    wait_for_selection(page, [2, 3, 4])
    page.keyboard.press("5")
    labelled(shared, 3)
    wait_for_tile(page, 4, ".tile-state", "^5")
    assert focused(page) == 4
    page.keyboard.press("Delete")  # of the tile with the focus
    labelled(shared, 2)
    page.keyboard.press("u")
    labelled(shared, 3)
    wait_for_text(page, "#toasts", "Put back 1 label")  # one undo at a time
    page.keyboard.press("u")
    labelled(shared, 0)
    wait_for_text(page, "#toasts", "Undid the change of 3 items")
    page.keyboard.press("End")
    page.wait_for_function("() => document.activeElement.dataset.index === '100'", timeout=WAIT_MS)
    assert page.evaluate("() => document.activeElement.getBoundingClientRect().bottom <= innerHeight + 1")
    page.keyboard.press("Home")
    page.keyboard.press("Control+a")
    wait_for_text(page, "#selected-count", "^101 selected")
    page.keyboard.press("Escape")
    assert page.is_hidden("#bulk") and focused(page) == 0
    page.keyboard.press("f")
    page.keyboard.type("blurred")
    page.keyboard.press("Enter")
    shared.wait_until("/api/status", lambda now: now["items"]["flagged"] == 1)
    page.wait_for_selector(f"{tile(0)} .tile-flag", timeout=WAIT_MS)
    page.wait_for_selector("#flag-dialog", state="hidden", timeout=WAIT_MS)
    page.focus(tile(0))
    page.keyboard.press("Enter")
    page.wait_for_selector("#item-dialog[open]")
    wait_for_text(page, "#dialog-history", "Flagged: blurred")
    page.keyboard.press("ArrowRight")
    wait_for_text(page, "#dialog-name", "0001.png")
    page.keyboard.press("8")
    wait_for_text(page, "#dialog-status", "Saved as 8")
    page.keyboard.press("9")
    wait_for_text(page, "#dialog-status", "Saved as 9")
    page.keyboard.press("Control+z")
    wait_for_text(page, "#dialog-history", r"9[\s\S]*undone[\s\S]*8\s*in force")
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement.dataset.index === '1'", timeout=WAIT_MS)
    labelled(shared, 1)


def test_a_finger_opens_holds_to_select_and_taps_on(browser: Any, shared: RunningServer) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    try:
        page = context.new_page()
        open_dataset(page, shared)
        page.tap(tile(0))
        page.wait_for_selector("#item-dialog[open]", timeout=WAIT_MS)
        page.tap("#dialog-close")
        page.wait_for_selector("#item-dialog", state="hidden", timeout=WAIT_MS)
        box = page.locator(tile(0)).bounding_box()
        touch = context.new_cdp_session(page)
        at = {"x": box["x"] + 60, "y": box["y"] + 60}
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
        wait_for_text(page, "#selected-count", "^1 selected")
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.tap(tile(1))
        wait_for_text(page, "#selected-count", "^2 selected")
        assert selected(page) == [0, 1] and page.is_hidden("#item-dialog")
        assert page.evaluate("() => document.documentElement.scrollWidth") == PHONE["width"]
    finally:
        context.close()


def test_a_click_that_does_not_tell_its_pointer_is_the_finger_before_it(
    page: Any, shared: RunningServer
) -> None:
    """In Safari and older Firefoxes a click is no pointer event."""
    open_dataset(page, shared)
    touch = """(cell, kind) => {
        const options = {bubbles: true, cancelable: true};
        cell.dispatchEvent(new PointerEvent("pointerdown", {...options, pointerType: kind}));
        cell.dispatchEvent(new MouseEvent("click", options));
    }"""
    page.eval_on_selector(tile(2), touch, "mouse")
    assert selected(page) == [2] and page.is_hidden("#item-dialog")
    page.eval_on_selector(tile(3), touch, "touch")
    assert selected(page) == [2, 3]
    page.keyboard.press("Escape")
    page.eval_on_selector(tile(4), touch, "touch")
    page.wait_for_selector("#item-dialog[open]", timeout=WAIT_MS)


def wait_for_rest(page: Any) -> None:
    """Until nothing scrolls any more, and the address has the place."""
    place, before = page.evaluate(PLACE), None
    while place != before:
        page.wait_for_timeout(REST_MS)
        place, before = page.evaluate(PLACE), place


def test_the_address_keeps_the_filter_and_the_place(page: Any, shared: RunningServer) -> None:
    items = shared.get("/api/items?limit=500")["items"]
    answers = [{"item": row["item"], "label": "3"} for row in items[:110]]
    requests.post(f"{shared.base}/api/labels", json={"labels": answers, "as_one": True}, timeout=30)
    page.set_viewport_size(PHONE)
    open_dataset(page, shared)
    page.click('#states [data-state="labelled"]')
    wait_for_text(page, "#shown", "^110 items")
    page.select_option("#sort", "-name")
    wait_for_tile(page, 0, ".item-name", r"0109\.png")
    page.mouse.move(180, 600)
    page.mouse.wheel(0, 4000)
    page.wait_for_function("() => /at=[1-9]/.test(location.search)", timeout=WAIT_MS)
    wait_for_rest(page)
    address = page.url
    first = page.evaluate("() => new URLSearchParams(location.search).get('at')")
    assert "state=labelled" in address and "sort=-name" in address
    page.reload()
    page.wait_for_selector(f"{tile(int(first))}[data-item]", timeout=WAIT_MS)
    assert page.locator(tile(int(first))).bounding_box()["y"] < 740
    wait_for_text(page, "#shown", "^110 items")
    page.goto(f"{shared.base}/try")
    page.go_back()
    page.wait_for_selector(f"{tile(int(first))}[data-item]", timeout=WAIT_MS)
    page.wait_for_timeout(500)
    assert page.evaluate("() => new URLSearchParams(location.search).get('at')") == first


def test_alike_duplicates_and_suspects(
    page: Any, server: RunningServer, pool: Path, truth: Mapping[str, str]
) -> None:
    with Image.open(pool / "0005.png") as image:
        image.convert("RGB").save(pool / "copy.jpg", quality=95)
    requests.post(f"{server.base}/api/rescan", json={}, timeout=30)
    server.wait_until("/api/status", lambda now: now["encoding"]["done"] == 121)
    known = {**truth, "copy.jpg": str((int(truth["0005.png"]) + 1) % 10)}
    items = server.get("/api/items?limit=500")["items"]
    wrong = {row["name"] for row in items[10:80:12]}
    answers = [
        {"item": row["item"], "label": str((int(known[row["name"]]) + (row["name"] in wrong)) % 10)}
        for row in items
    ]
    requests.post(f"{server.base}/api/labels", json={"labels": answers, "as_one": True}, timeout=30)
    server.wait_until("/api/status", lambda now: now["model"] and now["model"]["labels"] == 121)
    open_dataset(page, server, "?q=0005")
    page.dblclick(tile(0))
    page.click("#dialog-like")
    wait_for_tile(page, 0, ".item-name", r"0005\.png")
    wait_for_tile(page, 1, ".item-name", r"copy\.jpg")
    assert value(page, f"{tile(0)} .tile-note") == "100 % alike"
    page.go_back()
    wait_for_text(page, "#shown", "^1 item")

    page.click('#views [data-view="suspects"]')
    page.wait_for_selector(".doubt", timeout=WAIT_MS)
    conflict = page.locator(".doubt", has_text="labelled differently")
    assert conflict.locator(".doubt-picture").count() == 2
    conflict.get_by_role("button", name=f"All are {truth['0005.png']}").click()
    server.wait_until("/api/suspects", lambda now: now["conflicts"] == [])
    kept = page.locator(
        ".doubt", has_text="the model sees"
    ).first  # of the model before: by now there is another
    item = int(kept.locator("[data-item]").get_attribute("data-item"))
    label = server.get(f"/api/items/{item}")["label"]
    kept.get_by_role("button", name=f"{label} is right").press("Enter")
    server.wait_until("/api/suspects", lambda now: item not in {one["item"] for one in now["suspects"]})
    assert server.get(f"/api/items/{item}")["label"] == label
    page.click('#views [data-view="duplicates"]')
    wait_for_text(page, "#doubts-text", "group")
    assert page.locator(".doubt", has=page.locator('[title="copy.jpg"]')).count() == 1


def picture(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), (shade, 90, 200)).save(out, "PNG")
    return out.getvalue()


def test_adding_files_by_button_by_folder_and_by_drop(
    page: Any, server: RunningServer, pool: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    (folder / "sea").mkdir(parents=True)
    (folder / "sea" / "one.png").write_bytes(picture(1))
    (folder / "notes.txt").write_text("no image")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    open_dataset(page, server)
    page.set_input_files(
        "#file-input",
        [
            {"name": HOSTILE, "mimeType": "image/png", "buffer": picture(2)},
            {"name": "broken.png", "mimeType": "image/png", "buffer": picture(3)[:60]},
            {"name": "0001.png", "mimeType": "image/png", "buffer": (pool / "0001.png").read_bytes()},
        ],
    )
    wait_for_text(page, "#upload-text", r"^1 added, 1 already there, 1 refused\.")
    assert "broken.png damaged image" in value(page, "#upload-problems")
    wait_for_text(page, "#shown", "^121 items")
    assert sorted(file.name for file in pool.iterdir() if not file.name[:4].isdigit()) == [HOSTILE]
    page.set_input_files("#folder-input", str(folder))
    wait_for_text(page, "#upload-text", r"^1 added, 1 refused\.")
    assert "notes.txt not a kind of file" in value(page, "#upload-problems")
    assert (pool / "holiday" / "sea" / "one.png").read_bytes() == picture(1)
    drop_file(page, "dropped.png", picture(4))
    wait_for_text(page, "#upload-text", r"^1 added\.")
    wait_for_text(page, "#shown", "^123 items")
    page.fill("#search", "<img")
    wait_for_text(page, "#shown", "^1 item")
    page.dblclick(tile(0))
    wait_for_text(page, "#dialog-name", "<img src=x")
    page.wait_for_timeout(300)
    assert dialogs == []


def drop_file(page: Any, name: str, data: bytes) -> None:
    page.evaluate(
        """([name, bytes]) => {
            const moved = new DataTransfer();
            moved.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
            for (const type of ["dragover", "drop"]) {
                document.body.dispatchEvent(
                    new DragEvent(type, {dataTransfer: moved, bubbles: true, cancelable: true}));
            }
        }""",
        [name, list(data)],
    )


def test_what_is_dragged_away_again_is_not_waited_for(page: Any, shared: RunningServer) -> None:
    """Safari never says where a drag goes to: between two elements it looks as if it left the page."""
    open_dataset(page, shared)
    drag = """([type, selector]) => {
        const moved = new DataTransfer();
        moved.items.add(new File(["x"], "a.png", {type: "image/png"}));
        document.querySelector(selector).dispatchEvent(
            new DragEvent(type, {dataTransfer: moved, bubbles: true, cancelable: true}));
    }"""
    for type_, target in (("dragenter", "#filters"), ("dragover", "#filters"), ("dragenter", "#tiles")):
        page.evaluate(drag, [type_, target])
    page.evaluate(drag, ["dragleave", "#filters"])
    assert page.is_visible("#drop-here")
    page.evaluate(drag, ["dragleave", "#tiles"])
    assert page.is_hidden("#drop-here")


@pytest.mark.parametrize("size", [80, 150, 320])
def test_a_long_name_is_cut_in_its_middle(page: Any, digits: Path, tmp_path: Path, size: int) -> None:
    names = [f"IMG_20260714_153012_camera-north-entrance_{number:06d}.png" for number in (41, 42)]
    pool = copy_digits(digits / "digits", tmp_path / "pool", 4)
    for name, number in zip(names, (0, 1), strict=True):
        (pool / f"{number:04d}.png").rename(pool / name)
    running = RunningServer(write_config(tmp_path / "task.yml", pool))
    try:
        open_dataset(page, running, "?sort=-name")
        page.eval_on_selector(
            "#size",
            "(slider, size) => { slider.value = size; slider.dispatchEvent(new Event('input')) }",
            size,
        )
        wait_for_tile(page, 1, ".item-name", "41")
        assert page.get_attribute(tile(1), "title") == names[0]
        assert names[0] in page.locator("#tiles").aria_snapshot()
        head, tail = page.locator(f"{tile(1)} .name-head"), page.locator(f"{tile(1)} .name-tail > span")
        text, room = tail.bounding_box(), page.locator(f"{tile(1)} .item-name").bounding_box()
        end = text["x"] + text["width"]
        assert end <= room["x"] + room["width"] + 1  # its end is in sight: 41 and 42 are told apart
        is_cut = head.evaluate("head => head.scrollWidth > head.clientWidth")
        assert is_cut == (size < 320) and head.bounding_box()["width"] > 10
        short = page.locator(f"{tile(3)} .item-name")
        assert short.inner_text() == "0002.png" and short.locator(".name-head").count() == 0
    finally:
        running.kill()


def test_a_skip_says_what_keeps_its_label(page: Any, shared: RunningServer) -> None:
    open_dataset(page, shared)
    page.click(tile(0))
    page.click(tile(1), modifiers=["Shift"])
    page.keyboard.press("4")
    labelled(shared, 2)
    wait_for_tile(page, 1, ".tile-state", "^4")
    page.click(tile(0))
    page.keyboard.press("s")
    wait_for_text(page, "#toasts", "Nothing skipped: all of these are labelled, and keep their labels")
    page.click(tile(1))
    page.click(tile(3), modifiers=["Shift"])
    page.keyboard.press("s")
    said = wait_for_text(page, "#toasts", "Skipped")
    assert "Skipped 2 items: asked again later. 1 is labelled and keeps its label." in said
    shared.wait_until("/api/status", lambda now: now["items"]["skipped"] == 2)
    labelled(shared, 2)
    page.keyboard.press("u")
    wait_for_text(page, "#toasts", "Undid the change of 3 items")
    shared.wait_until("/api/status", lambda now: now["items"]["skipped"] == 0)
    labelled(shared, 2)


def noise(seed: int) -> bytes:
    """A picture of about a megabyte."""
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_progress_is_of_all_that_is_added(page: Any, server: RunningServer) -> None:
    """Three files, which go in one request, and 25 small ones before them in another."""
    open_dataset(page, server)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000},
    )
    page.evaluate(
        """() => {
          window.seen = [];
          const [bar, bytes] = ["progress", "bytes"].map((id) => document.querySelector(`#upload-${id}`));
          new MutationObserver(() => { if (!bar.hidden) window.seen.push([bar.value, bytes.textContent]); })
            .observe(bar, { attributes: true });
        }"""
    )
    files = [*(picture(shade) for shade in range(25)), *(noise(seed) for seed in range(3))]
    page.set_input_files(
        "#file-input",
        [{"name": f"n{at}.png", "mimeType": "image/png", "buffer": data} for at, data in enumerate(files)],
    )
    wait_for_text(page, "#upload-text", r"^28 added\.")
    seen = page.evaluate("() => window.seen")
    shares = [share for share, _ in seen]
    assert shares == sorted(shares) and shares[-1] == 1
    assert len({share for share in shares if 0.05 < share < 0.95}) >= 3
    total = f"{sum(map(len, files)) / 1e6:.1f} MB"
    assert all(text.endswith(f" of {total} sent") for _, text in seen)
    assert page.is_hidden("#upload-bytes")
