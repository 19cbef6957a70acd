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

from browser.driving import WAIT_MS, open_batch, value, wrong_cells
from serving import RunningServer, write_config
from support import copy_digits

pytestmark = pytest.mark.browser

CLASSES = ("0", "1")
BATCH = 60


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


def answer_until_proposed(server: RunningServer, truth: Mapping[str, str], wanted: int) -> None:
    """Over the API: labels until so many proposals of one class wait."""
    for _ in range(12):
        found = requests.get(f"{server.base}/api/questions?n=8", timeout=30).json()["questions"]
        labels = [{"item": one["item"], "label": truth[one["name"]], "seconds": 1.0} for one in found]
        requests.post(f"{server.base}/api/labels", json={"labels": labels}, timeout=30).raise_for_status()
        known = server.get("/api/status")["items"]["labelled"]
        if known < 10:
            continue
        status = server.wait_until(
            "/api/status", lambda now, known=known: now["model"] and now["model"]["labels"] >= known
        )
        if max(status["proposed"].values()) >= wanted:
            return
    raise AssertionError(f"never {wanted} proposals: {status['proposed']}")


def exported(server: RunningServer) -> list[dict[str, str]]:
    text = requests.get(f"{server.base}/api/export?format=csv", timeout=30).text
    return list(csv.DictReader(io.StringIO(text)))


def test_the_rest_is_offered_accepted_and_undone(
    page: Any, server: RunningServer, truth: Mapping[str, str]
) -> None:
    answer_until_proposed(server, truth, 100)
    names = {str(row["item"]): row["name"] for row in server.get("/api/items?limit=500")["items"]}
    open_batch(page, server.base)
    assert "more to check" in value(page, "#audit-text")
    for _ in range(4):
        label = re.search(r"“(.)”", value(page, "#headline"))
        assert label is not None
        for item in wrong_cells(page, label[1], truth, names):
            page.click(f'.cell[data-item="{item}"]')
        with page.expect_response(re.compile(r"/api/batches/\d+$")) as answered:
            page.click("#confirm")
        audit = answered.value.json()["audit"]
        if audit["certified"]:
            break
        page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
        assert re.match(rf"{audit['audited']} checked, {audit['wrong']} wrong: ", value(page, "#audit-text"))
    assert audit["certified"], audit
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
    assert len(accepted) >= 10 and {row["label"] for row in accepted} == {label[1]}
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
    answer_until_proposed(server, truth, 140)
    asked: list[int] = []
    page.on("request", lambda request: asked.extend(items_in(request.url)))
    page.goto(f"{server.base}/review?label={CLASSES[0]}")  # else the other class may be next
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    shown = page.locator(".cell").count()
    for _ in range(100):
        if len(asked) >= shown + BATCH:
            break
        page.wait_for_timeout(100)
    with page.expect_response(re.compile(r"/api/batches/next")) as answered:
        page.click("#confirm")
    items = answered.value.json()["items"]
    page.wait_for_function(
        "item => document.querySelector('.cell')?.dataset.item === item",
        arg=str(items[0]["item"]),
        timeout=WAIT_MS,
    )
    page.wait_for_selector("#confirm:enabled", timeout=WAIT_MS)
    assert items and all(asked.count(one["item"]) == 1 for one in items), "and that was before"


def accept_by_api(server: RunningServer, truth: Mapping[str, str]) -> list[int]:
    """Reviews until the rest may be accepted, and accepts it; returns what was looked at."""
    seen: list[int] = []
    for _ in range(6):
        batch = server.get("/api/batches/next?client=script")
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
    answer_until_proposed(server, truth, 100)
    seen = accept_by_api(server, truth)
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
