"""Over HTTP: a certificate that is accepted on, loses its evidence, and is mended."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from audit_bench import CLASSES, N, snapshot_of
from lightbulb.web.app import create_app
from support import config_for, copy_digits, opened
from web.test_api import error_of


@pytest.fixture
def reviewer(digits: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    """On a model that says Low of everything."""
    directory = copy_digits(digits / "digits", tmp_path / "pool", N)
    with opened(config_for(tmp_path, directory, label={"classes": CLASSES})) as workspace:
        workspace.learner._publish(snapshot_of(workspace.catalog.view), None)
        yield create_app(workspace).test_client()


def accept(client: FlaskClient) -> list[int]:
    """Looks until the rest may be accepted and accepts it; returns what was looked at."""
    seen: list[int] = []
    while True:
        batch = client.get("/api/batches/next").json
        seen += [one["item"] for one in batch["items"]]
        done = client.post(f"/api/batches/{batch['batch']}", json={}).json
        if done["audit"]["certified"]:
            break
    accepted = client.post(f"/api/batches/{batch['batch']}/accept-rest", json={}).json
    assert accepted["certified"] == N - len(seen)
    return seen


def lapsed(client: FlaskClient) -> list[dict[str, Any]]:
    return list(client.get("/api/status").json["lapsed"])


def certified(client: FlaskClient) -> int:
    rows = csv.DictReader(io.StringIO(client.get("/api/export").text))
    return sum(row["source"] == "certified" for row in rows)


def test_a_lapsed_certificate_is_told_everywhere_and_can_be_checked(reviewer: FlaskClient) -> None:
    seen = accept(reviewer)
    assert lapsed(reviewer) == []
    reviewer.post("/api/labels/remove", json={"items": seen[:3]})
    (found,) = lapsed(reviewer)
    assert set(found) == {
        "audit", "label", "labels", "audited", "wrong", "withdrawn", "found", "removed", "allowed",
        "most", "to_check",
    }  # fmt: skip
    assert (found["label"], found["labels"], found["withdrawn"]) == ("Low", N - len(seen), 3)
    (banner,) = reviewer.get("/api/status").json["banners"]
    assert banner["level"] == "warning" and f"{N - len(seen)} labels “Low”" in banner["text"]
    assert f"lightbulb_labels_lapsed {N - len(seen)}.0" in reviewer.get("/metrics").text
    assert certified(reviewer) == N - len(seen)
    batch = reviewer.post(f"/api/certificates/{found['audit']}/check", json={"client": "me"}).json
    assert {one["item"] for one in batch["items"]} == set(seen[:3]) and batch["label"] == "Low"
    assert batch["audit"] is None and batch["candidates"] == N - len(seen)
    assert reviewer.post(f"/api/batches/{batch['batch']}", json={}).json["confirmed"] == 3
    assert lapsed(reviewer) == [] and "lightbulb_labels_lapsed 0.0" in reviewer.get("/metrics").text


def test_what_was_accepted_is_taken_back_in_one_step(reviewer: FlaskClient) -> None:
    seen = accept(reviewer)
    wrong = [{"item": item, "label": "High"} for item in seen[:2]]
    reviewer.post("/api/labels", json={"labels": wrong, "as_one": True})
    (found,) = lapsed(reviewer)
    answer = reviewer.post(f"/api/certificates/{found['audit']}/take-back", json={}).json
    assert answer["removed"] == found["labels"] and certified(reviewer) == 0 and lapsed(reviewer) == []
    again = reviewer.post(f"/api/certificates/{found['audit']}/take-back", json={})
    assert error_of(again, 409)["code"] == "nothing_stands"
    assert reviewer.post("/api/undo", json={}).json["undone"] == answer["action"]
    assert certified(reviewer) == found["labels"] and lapsed(reviewer) == [found]
    assert error_of(reviewer.post("/api/certificates/9/check", json={}), 404)["code"] == "unknown_audit"
    assert error_of(reviewer.post("/api/certificates/1/check", json={"who": 1}), 422)
