"""Review until a certificate is there, accept the rest without a look, and take that back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from browser.driving import (
    WAIT_MS,
    Held,
    label_by_api,
    open_batch,
    value,
    wait_for_labels,
    wait_for_text,
    wait_until,
    wrong_cells,
)
from serving import RunningServer, write_config
from support import copy_digits

pytestmark = pytest.mark.browser

CLASSES = ("0", "1")
LABELS = 40  # by then a zero is hardly ever taken for a one
NEXT = re.compile(r"/api/batches/next")
BATCH = 30  # fewer than a certificate takes: it always needs a second batch of its class
MOST_BATCHES = 20  # of 360 items


@pytest.fixture
def config(digits: Path, truth: Mapping[str, str], tmp_path: Path) -> Path:
    """Zeros and ones alone, and a confidence that a few dozen looks are enough for."""
    everything = copy_digits(digits / "digits", tmp_path / "pool", len(truth))
    for file in everything.iterdir():
        if truth[file.name] not in CLASSES:
            file.unlink()
    return write_config(
        tmp_path / "task.yml", everything,
        label={"classes": list(CLASSES)}, auto_label={"confidence": 0.9, "batch_size": BATCH},
    )  # fmt: skip


def label_until_proposed(server: RunningServer, truth: Mapping[str, str], wanted: int) -> str:
    """Over the API: labels until so many proposals of one class wait; the class."""
    labelled = LABELS - 10
    label_by_api(server, truth, labelled)
    while labelled < 100:
        label_by_api(server, truth, 10)
        labelled += 10
        wait_for_labels(server, labelled)
        proposed = server.get("/api/status")["proposed"]
        most = max(proposed, key=proposed.__getitem__)
        if proposed[most] >= wanted:
            return str(most)
    raise AssertionError(f"never {wanted} proposals: {proposed}")


def exported(server: RunningServer) -> list[dict[str, str]]:
    text = requests.get(f"{server.base}/api/export?format=csv", timeout=30).text
    return list(csv.DictReader(io.StringIO(text)))


def batch_on_screen(page: Any, batches: list[Any]) -> dict[str, Any]:
    """What the server said of it, of whatever class it is, once it can be confirmed.

    batches: the answers to the page's requests for one.
    """
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    number = page.get_attribute("#batch", "data-batch")
    said = (answer.json() for answer in reversed(batches))
    return next(dict(each) for each in said if str(each["batch"]) == number)


def check_until_certified(page: Any, truth: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    """Confirms batches rightly, whichever come; the one that led to a certificate, with its audit by then."""
    batches: list[Any] = []
    page.on("response", lambda answer: batches.append(answer) if "/batches/next" in answer.url else None)
    page.reload()
    went_on = False
    for _ in range(MOST_BATCHES):
        batch = batch_on_screen(page, batches)
        assert f"“{batch['label']}”" in value(page, "#headline")
        audited, wrong, needed = (batch["audit"][key] for key in ("audited", "wrong", "needed"))
        left = f"{needed} more to check" if needed else "Too few for a certificate"
        wait_for_text(page, "#audit-text", f"^{audited} checked, {wrong} wrong: " if audited else f"^{left}")
        went_on = went_on or audited > 0
        for item in wrong_cells(page, batch["label"], truth, names):
            page.click(f'.cell[data-item="{item}"]')
        with page.expect_response(re.compile(r"/api/batches/\d+$")) as answered:
            page.click("#confirm")
        audit = answered.value.json()["audit"]
        if audit["certified"]:
            assert went_on, "what an earlier batch of the class had shown was said"
            return {**batch, "audit": audit}
        # one that is shown still says what it said before the answer
        page.wait_for_function(
            "before => document.querySelector('#batch').dataset.batch !== before"
            " && !document.querySelector('#batch').hidden",
            arg=str(batch["batch"]),
            timeout=WAIT_MS,
        )
    raise AssertionError(f"no certificate: {audit}")


def test_the_rest_is_offered_accepted_and_undone(
    page: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    label_until_proposed(server, truth, 100)
    names = {str(row["item"]): row["name"] for row in server.get("/api/items?limit=500")["items"]}
    page.goto(f"{server.base}/review")
    found = check_until_certified(page, truth, names)
    label, audit = found["label"], found["audit"]
    for _ in range(2):  # at once, and after a reload
        page.wait_for_selector(".offer", timeout=WAIT_MS)
        said = value(page, ".offer-text")
        assert f"{audit['audited']} checked, {audit['wrong']} wrong: at least 90 %" in said
        assert value(page, ".accept").startswith("Accept the other ")
        page.reload()
    page.click(".dismiss")  # rather go on checking
    assert page.locator(".offer").count() == 0
    page.reload()
    before = sum(row["source"] == "certified" for row in exported(server))
    assert before == 0
    page.click(".accept")
    page.wait_for_selector(".offer", state="detached", timeout=WAIT_MS)
    accepted = [row for row in exported(server) if row["source"] == "certified"]
    assert len(accepted) >= 10 and {row["label"] for row in accepted} == {label}
    wrong = sum(truth[row["path"]] != row["label"] for row in accepted)
    assert wrong <= 0.1 * len(accepted)
    page.wait_for_selector("#confirm:enabled, #nothing:not([hidden])", timeout=WAIT_MS)
    page.keyboard.press("u")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.toast')].some(t => t.innerText.includes('Undid accepting'))",
        timeout=WAIT_MS,
    )
    assert not [row for row in exported(server) if row["source"] == "certified"]


def items_in(url: str) -> list[int]:
    """Items whose pictures a request asks for."""
    one, many = re.search(r"/media/(\d+)", url), re.search(r"/media/thumbnails.*[?&]items=([^&]*)", url)
    return (
        [int(found) for found in re.findall(r"\d+", (one or many)[1].replace("%2C", ","))]
        if one or many
        else []
    )


def test_the_next_batch_is_fetched_while_this_one_is_looked_at(
    page: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    """Of an audit, whose order is laid down: then the next page shows at once."""
    label = label_until_proposed(server, truth, 100)
    asked: list[int] = []
    page.on("request", lambda request: asked.extend(items_in(request.url)))
    with page.expect_response(NEXT) as answered:
        page.goto(f"{server.base}/review?label={label}")  # else the other class may be next
    ahead = [one["item"] for one in answered.value.json()["ahead"]]
    assert len(ahead) == BATCH
    wait_until(page, lambda: set(ahead) <= set(asked))
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    with page.expect_response(NEXT) as answered:
        page.click("#confirm")
    items = [one["item"] for one in answered.value.json()["items"]]
    page.wait_for_function(
        "item => document.querySelector('.cell')?.dataset.item === item", arg=str(items[0]), timeout=WAIT_MS
    )
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    assert items and set(items) <= set(ahead)
    assert all(asked.count(item) == 1 for item in items), "and that was before"


def test_a_second_enter_confirms_nothing_twice(
    page: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    """While the next batch is on its way, the one on the screen is answered already."""
    label_until_proposed(server, truth, 100)
    open_batch(page, server.base)
    held = Held(page, "**/api/batches/next*")
    with page.expect_response(re.compile(r"/api/batches/\d+$"), timeout=WAIT_MS):
        page.click("#confirm")
    wait_until(page, lambda: held.routes)
    first = page.locator(".cell").first
    first.click()  # whatever draws the button anew
    first.click()
    assert page.is_disabled("#confirm")
    page.keyboard.press("Enter")
    held.let_go()
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    # the server would refuse a second answer, which would be said
    assert "Confirmed" in value(page, "#toasts") and page.locator(".toast-error").count() == 0
    page.keyboard.press("u")  # the same batch comes again, and can be confirmed
    wait_for_text(page, "#toasts", "Undid a batch")
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)


def accept_by_api(server: RunningServer, truth: Mapping[str, str], label: str) -> list[int]:
    """Reviews a class until its rest may be accepted, and accepts it; returns what was looked at."""
    seen: list[int] = []
    for _ in range(MOST_BATCHES):
        batch = server.get(f"/api/batches/next?client=script&label={label}")
        rejected = [
            {"item": one["item"], "label": truth[one["name"]]}
            for one in batch["items"]
            if truth[one["name"]] != batch["label"]
        ]
        address = f"{server.base}/api/batches/{batch['batch']}"
        audit = requests.post(address, json={"rejected": rejected}, timeout=30).json()["audit"]
        seen += [one["item"] for one in batch["items"]]
        if audit["certified"]:
            requests.post(f"{address}/accept-rest", json={}, timeout=30).raise_for_status()
            return seen
    raise AssertionError(audit)


def test_a_certificate_that_lost_its_evidence_is_told_and_mended(
    page: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    label = label_until_proposed(server, truth, 100)
    seen = accept_by_api(server, truth, label)
    page.goto(f"{server.base}/review")
    page.wait_for_function("() => document.querySelector('#labelled').textContent !== '–'", timeout=WAIT_MS)
    assert page.locator(".lapsed").count() == 0
    removal = requests.post(f"{server.base}/api/labels/remove", json={"items": seen[:6]}, timeout=30)
    removal.raise_for_status()
    page.wait_for_selector(".lapsed", timeout=WAIT_MS)
    assert "6 of the " in value(page, ".lapsed .offer-text")
    assert "Review says why" in value(page, "#banners")
    page.click(".lapsed .check")
    page.wait_for_function("() => document.querySelectorAll('.cell').length === 6", timeout=WAIT_MS)
    assert value(page, "#batch-count").startswith("6 to check, for ")
    assert page.evaluate("() => document.activeElement.classList.contains('cell')")  # not what Enter presses
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    page.click("#confirm")
    page.wait_for_selector(".lapsed", state="detached", timeout=WAIT_MS)
    assert any(row["source"] == "certified" for row in exported(server))
    requests.post(f"{server.base}/api/labels/remove", json={"items": seen[:6]}, timeout=30).raise_for_status()
    page.wait_for_selector(".lapsed .take-back", timeout=WAIT_MS)
    page.click(".lapsed .take-back")
    page.wait_for_selector(".lapsed", state="detached", timeout=WAIT_MS)
    assert not [row for row in exported(server) if row["source"] == "certified"]
    page.click(".toast-action")  # Undo
    page.wait_for_selector(".lapsed", timeout=WAIT_MS)
    assert [row for row in exported(server) if row["source"] == "certified"]
