"""The Try it page: drawing and scoring a digit right, the camera live, a file and an address by keyboard."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from browser.conftest import installed_browser
from browser.driving import WAIT_MS, Held, Requested, value, wait_for_text, wait_until
from serving import RunningServer

pytestmark = pytest.mark.browser

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
FAKE_CAMERA = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"
ZERO = [
    (0.5 + 0.22 * math.sin(math.tau * at / 24), 0.5 - 0.36 * math.cos(math.tau * at / 24)) for at in range(25)
]
ONE = [(0.5, 0.1), (0.5, 0.9)]


def open_tab(page: Any, server: RunningServer, tab: str, viewport: Mapping[str, int] = DESK) -> None:
    page.set_viewport_size(viewport)
    page.goto(f"{server.base}/try")
    page.click(f"#tab-{tab}")


def stroke(page: Any, points: list[tuple[float, float]]) -> None:
    """points: fractions of the canvas."""
    box = page.locator("#canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=2)
    page.mouse.up()


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_a_drawn_digit_is_scored_right(
    page: Any, labelled_server: RunningServer, viewport: Mapping[str, int]
) -> None:
    open_tab(page, labelled_server, "draw", viewport)
    page.wait_for_function("() => document.querySelector('#light-on-dark').checked")  # as the digits are
    scores = Requested(page, "/score")
    stroke(page, ZERO)
    scores.wait_until_quiet(page)  # until then there are answers to a part of the stroke
    wait_for_text(page, "#predicted", "^0, ")
    wait_for_text(page, "#nearest-list li", "^0")
    with page.expect_download() as saved:
        page.click("#save")
    drawn = Image.open(saved.value.path()).convert("L")
    assert drawn.size == (64, 64) and drawn.getpixel((0, 32)) < 60 < 200 < max(drawn.tobytes())
    assert saved.value.suggested_filename == "drawing.png" and "drawing.png" in value(page, "#curl")
    page.click("#draw-clear")
    page.wait_for_selector("#result", state="hidden")
    stroke(page, ONE)
    wait_for_text(page, "#predicted", "^1, ")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= viewport["width"]


def test_strokes_are_undone_one_by_one_and_the_answer_follows(
    page: Any, labelled_server: RunningServer
) -> None:
    open_tab(page, labelled_server, "draw")
    page.wait_for_function("() => document.querySelector('#light-on-dark').checked")
    scores = Requested(page, "/score")
    stroke(page, ONE)
    scores.wait_until_quiet(page)  # until then there are answers to a part of the stroke
    before = wait_for_text(page, "#predicted", "^1, ")
    stroke(page, [(0.2, 0.5), (0.8, 0.5)])
    page.wait_for_function(
        "before => document.querySelector('#predicted').innerText !== before", arg=before, timeout=WAIT_MS
    )
    page.keyboard.press("u")
    wait_for_text(page, "#predicted", f"^{re.escape(before)}$")
    page.click("#draw-undo")
    page.wait_for_selector("#result", state="hidden")
    assert page.is_disabled("#draw-undo") and page.is_disabled("#draw-clear")
    black = page.evaluate(
        "() => [...document.querySelector('#canvas').getContext('2d').getImageData(256, 256, 1, 1).data]"
    )
    assert black == [0, 0, 0, 255]


def test_a_palm_draws_nothing(page: Any, labelled_server: RunningServer) -> None:
    """A second pointer neither draws nor ends the stroke."""
    open_tab(page, labelled_server, "draw")
    page.wait_for_function("() => document.querySelector('#light-on-dark').checked")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.evaluate(
        """() => {
            const canvas = document.querySelector("#canvas"), box = canvas.getBoundingClientRect();
            const at = {pointerId: 99, clientX: box.right - 40, clientY: box.bottom - 40};
            for (const type of ["pointermove", "pointerup"]) canvas.dispatchEvent(new PointerEvent(type, at));
        }"""
    )
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.8 * box["height"], steps=3)
    page.mouse.up()
    red = "([x, y]) => document.querySelector('#canvas').getContext('2d').getImageData(x, y, 1, 1).data[0]"
    assert [page.evaluate(red, [102, y]) for y in (110, 256, 400)] == [255] * 3  # of 512 pixels
    assert page.evaluate(red, [300, 300]) == page.evaluate(red, [440, 440]) == 0


def test_by_keyboard_alone_on_a_phone(page: Any, labelled_server: RunningServer, digits: Path) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{labelled_server.base}/try")
    page.focus("#tab-image")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.id") == "tab-draw" and page.is_visible("#canvas")
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "url"
    picture = (digits / "digits" / "0000.png").read_bytes()
    page.keyboard.insert_text(f"data:image/png;base64,{base64.b64encode(picture).decode()}")
    page.keyboard.press("Enter")
    page.wait_for_selector("#nearest-list li", timeout=WAIT_MS)
    files = {"files": ("0000.png", picture)}
    answer = requests.post(f"{labelled_server.base}/score?nearest=5", files=files, timeout=30).json()
    best = max(range(10), key=lambda one: answer["scores"][0][one])
    assert value(page, "#predicted") == f"{best}, {100 * answer['scores'][0][best]:.1f} %"
    shown = [int(one.get_attribute("data-item")) for one in page.query_selector_all("#nearest-list li")]
    assert shown == [one["item"] for one in answer["nearest"][0]]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_draw_tab_left_early_takes_no_other_answer_away(
    page: Any, labelled_server: RunningServer, digits: Path
) -> None:
    """It looks at a few of the dataset's images when it is first opened: here these come late."""
    held = Held(page, "**/media/*width=256")
    with page.expect_request("**/media/*width=256"):
        open_tab(page, labelled_server, "draw")
    page.click("#tab-image")
    page.set_input_files("#file", str(digits / "digits" / "0000.png"))
    shown = wait_for_text(page, "#predicted", r"^\d, ")
    assert held.routes
    held.let_go()
    page.wait_for_function("() => document.querySelector('#light-on-dark').checked")
    page.wait_for_timeout(300)
    assert value(page, "#predicted") == shown and page.is_visible("#result")


def test_noise_in_place_of_a_drawing_is_never_scored(page: Any, labelled_server: RunningServer) -> None:
    """As with privacy.resistFingerprinting in Firefox, until the person lets the page read canvases."""
    page.add_init_script(
        """const honest = CanvasRenderingContext2D.prototype.getImageData;
        CanvasRenderingContext2D.prototype.getImageData = function (...place) {
            const image = honest.apply(this, place);
            if (!window.isAllowed) image.data.forEach((_, at) => { image.data[at] = (at * 37) % 256 });
            return image;
        };"""
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/score" in request.url else None)
    open_tab(page, labelled_server, "draw", {"width": 1280, "height": 720})
    stroke(page, ONE)
    wait_for_text(page, "#try-error", "noise in place of what is drawn")
    page.wait_for_function(
        "() => document.querySelector('#try-error').getBoundingClientRect().bottom <= innerHeight"
    )
    page.click("#tab-camera")
    page.click("#camera-start")
    wait_for_text(page, "#try-error", "noise in place of what is drawn")
    assert asked == []
    page.click("#tab-draw")
    page.evaluate("() => { window.isAllowed = true }")
    stroke(page, [(0.4, 0.1), (0.5, 0.1)])
    page.wait_for_selector("#result", timeout=WAIT_MS)
    assert page.is_hidden("#try-error")


# --- the camera --------------------------------------------------------------------------------------


@pytest.fixture
def camera_page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of a browser with a made-up camera; param: further flags."""
    flags = ["--no-sandbox", FAKE_CAMERA, *request.param]
    own = browser.browser_type.launch(executable_path=installed_browser(), args=flags)
    yield own.new_context(viewport=DESK).new_page()
    own.close()


@pytest.mark.parametrize("camera_page", [[ALLOWED]], indirect=True)
def test_the_camera_is_scored_live_one_frame_at_a_time_and_released(
    camera_page: Any, labelled_server: RunningServer
) -> None:
    page, scores = camera_page, Requested(camera_page, "/score")
    open_tab(page, labelled_server, "camera")
    page.focus("#camera-start")
    page.keyboard.press("Enter")
    wait_for_text(page, "#camera-rate", r"^\d+\.\d images a second")
    page.wait_for_selector("#nearest-list li", timeout=WAIT_MS)
    page.evaluate("() => { window.track = document.querySelector('#camera').srcObject.getTracks()[0] }")
    before = scores.answered
    wait_until(page, lambda: scores.answered >= before + 4)
    assert scores.most == 1
    assert page.evaluate("() => document.activeElement.id") == "camera-stop"
    page.keyboard.press("Enter")
    page.wait_for_selector("#camera-start", timeout=WAIT_MS)
    assert page.evaluate("() => [window.track.readyState, document.querySelector('#camera').srcObject]") == [
        "ended",
        None,
    ]
    wait_until(page, lambda: not scores.waiting)
    page.wait_for_timeout(300)  # a frame that was being taken may still go out
    stopped = scores.asked
    page.wait_for_timeout(700)
    assert scores.asked == stopped


@pytest.mark.parametrize("camera_page", [[ALLOWED]], indirect=True)
def test_another_tab_releases_the_camera(camera_page: Any, labelled_server: RunningServer) -> None:
    page = camera_page
    open_tab(page, labelled_server, "camera")
    page.click("#camera-start")
    wait_for_text(page, "#camera-rate", "images a second")
    page.evaluate("() => { window.track = document.querySelector('#camera').srcObject.getTracks()[0] }")
    page.click("#tab-draw")
    assert page.evaluate("() => window.track.readyState") == "ended"


@pytest.mark.parametrize("camera_page", [["--deny-permission-prompts"]], indirect=True)
def test_a_refused_camera_and_an_insecure_page_are_explained(
    camera_page: Any, labelled_server: RunningServer
) -> None:
    page = camera_page
    open_tab(page, labelled_server, "camera")
    page.click("#camera-start")
    assert "did not allow the camera" in wait_for_text(page, "#try-error", "camera")
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'mediaDevices', { value: undefined })")
    open_tab(page, labelled_server, "camera")
    page.click("#camera-start")
    assert "only over https, or on localhost" in wait_for_text(page, "#try-error", "https")
