"""The whole journey over HTTP, in a process of its own: label, learn, propose, confirm, serve, come back."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from serving import RunningServer, curl_score, write_config
from support import copy_digits

LABELS = 80
EXPORT_SECONDS = 10.0  # two on a machine that does nothing else


@pytest.fixture
def server(digits: Path, tmp_path: Path) -> Iterator[RunningServer]:
    copy_digits(digits / "digits", tmp_path / "pool", 400)
    config = write_config(
        tmp_path / "task.yml", tmp_path / "pool", auto_label={"confidence": 0.7, "batch_size": 20}
    )
    running = RunningServer(config)
    yield running
    if running.process.poll() is None:
        running.kill()


def label(server: RunningServer, truth: Mapping[str, str], count: int) -> None:
    done = 0
    while done < count:
        questions = server.get(f"/api/questions?n={min(10, count - done)}&client=journey")["questions"]
        answers = [
            {"item": one["item"], "label": truth[one["name"]], "seconds": 0.5, "client_id": f"c{one['item']}"}
            for one in questions
        ]
        requests.post(f"{server.base}/api/labels", json={"labels": answers}, timeout=30).raise_for_status()
        done += len(questions)


def test_label_learn_propose_confirm_serve_and_come_back(
    server: RunningServer, truth: Mapping[str, str], tmp_path: Path
) -> None:
    assert server.get("/api/status")["training"]["active"] is False
    label(server, truth, LABELS)
    status = server.wait_until(
        "/api/status",
        lambda now: now["model"] and now["model"]["labels"] == LABELS and now["encoding"]["done"] == 400,
    )
    assert status["training"]["active"] is True and status["accuracy"]["n"] == LABELS // 5
    server.wait_until("/api/status", lambda now: now["items"]["proposed"] > 0)

    batch = server.get("/api/batches/next?client=journey")
    wrong = [
        {"item": one["item"], "label": truth[one["name"]]}
        for one in batch["items"]
        if truth[one["name"]] != batch["label"]
    ]
    done = requests.post(
        f"{server.base}/api/batches/{batch['batch']}", json={"rejected": wrong, "seconds": 5.0}, timeout=30
    ).json()
    assert done["confirmed"] == len(batch["items"]) - len(wrong)
    total = LABELS + len(batch["items"])
    before = server.wait_until("/api/status", lambda now: now["model"]["labels"] == total)

    name = batch["items"][0]["name"]
    scored = curl_score(server, tmp_path / "pool", name)
    assert scored["labels"] == [str(digit) for digit in range(10)]
    assert len(scored["scores"]) == 1 and sum(scored["scores"][0]) == pytest.approx(1, abs=1e-4)

    file = tmp_path / "out" / "labels.csv"
    deadline = time.monotonic() + EXPORT_SECONDS
    while len(read_csv(file)) != total and time.monotonic() < deadline:
        time.sleep(0.05)
    rows = {row["path"]: row for row in read_csv(file)}
    assert len(rows) == total, "the judgements file is not current"
    assert all(rows[path]["label"] == truth[path] for path in rows)
    assert sum(row["source"] == "confirmed" for row in rows.values()) == done["confirmed"]

    assert server.stop() == 0
    again = RunningServer(tmp_path / "task.yml")
    try:
        after = again.wait_until("/api/status", lambda now: now["model"] is not None)
        assert after["items"]["labelled"] == total and after["encoding"]["done"] == 400
        assert after["model"]["version"] == before["model"]["version"]
        assert after["accuracy"] == before["accuracy"]
        repeated = curl_score(again, tmp_path / "pool", name)
        assert repeated["scores"][0] == pytest.approx(scored["scores"][0], abs=1e-4)
        undone = requests.post(f"{again.base}/api/undo", json={}, timeout=30).json()
        assert undone["kind"] == "batch" and len(undone["items"]) == len(batch["items"])
    finally:
        again.kill()


def read_csv(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_label_answered_with_200_survives_kill_9(
    digits: Path, truth: Mapping[str, str], tmp_path: Path
) -> None:
    copy_digits(digits / "digits", tmp_path / "pool", 250)
    config = write_config(tmp_path / "task.yml", tmp_path / "pool")
    server = RunningServer(config)
    questions = server.get("/api/questions?n=100")["questions"]
    questions += server.get("/api/questions?n=100&have=" + ",".join(str(one["item"]) for one in questions))[
        "questions"
    ]
    assert len(questions) == 200
    acknowledged: dict[str, str] = {}

    def post_all() -> None:
        for one in questions:
            body = {"labels": [{"item": one["item"], "label": truth[one["name"]]}]}
            try:
                if requests.post(f"{server.base}/api/labels", json=body, timeout=30).status_code == 200:
                    acknowledged[one["name"]] = truth[one["name"]]
            except requests.RequestException:
                return

    poster = threading.Thread(target=post_all)
    poster.start()
    while len(acknowledged) < 70:
        time.sleep(0.002)
    server.kill()
    poster.join()
    assert 70 <= len(acknowledged) < 200, "the server was not killed in the middle"

    again = RunningServer(config)
    try:
        rows = again.get("/api/items?state=labelled&limit=500")["items"]
        kept = {row["name"]: row["label"] for row in rows}
        assert acknowledged.items() <= kept.items()
        assert len(kept) - len(acknowledged) <= 1  # one may have been saved and not answered yet
    finally:
        again.kill()


def test_production_mode_needs_neither_dataset_nor_database(
    server: RunningServer, truth: Mapping[str, str], tmp_path: Path
) -> None:
    label(server, truth, 20)
    server.wait_until("/api/status", lambda now: now["model"] is not None)
    assert server.stop() == 0
    for file in (tmp_path / "out").glob("labels.*"):
        file.unlink()
    (tmp_path / "pool").rename(tmp_path / "elsewhere")
    production = RunningServer(tmp_path / "task.yml", "--mode", "production")
    try:
        scored = curl_score(production, tmp_path / "elsewhere", "0000.png")
        assert sum(scored["scores"][0]) == pytest.approx(1, abs=1e-4)
        assert requests.get(f"{production.base}/api/status", timeout=30).status_code == 404
    finally:
        assert production.stop() == 0


def test_odd_class_names_and_pictures_make_the_whole_way(digits: Path, tmp_path: Path) -> None:
    """Comma, quote, non-ASCII and YAML's own words as classes; CMYK, 16-bit, palette and rotated pictures."""
    from PIL import Image

    folder = tmp_path / "pool"
    copy_digits(digits / "digits", folder, 12)
    Image.new("CMYK", (40, 30), (0, 255, 255, 0)).save(folder / "cmyk.jpg")
    Image.new("I;16", (40, 30), 30_000).save(folder / "deep.png")
    Image.new("P", (40, 30), 3).save(folder / "palette.gif")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), "red").save(folder / "turned.jpg", exif=exif)
    (folder / "Ünï — <img src=x onerror=alert(1)>.png").write_bytes((folder / "0000.png").read_bytes())
    (folder / "text.jpg").write_text("this is no picture")
    (folder / "empty.png").touch()
    classes = ['a, "quoted" name', "größer", "NO", "012"]
    config = write_config(tmp_path / "task.yml", folder, label={"classes": classes})
    server = RunningServer(config)
    try:
        server.wait_until("/api/status", lambda now: now["encoding"]["done"] == 17)
        questions = server.get("/api/questions?n=50")["questions"]
        assert len(questions) == 17
        answers = [{"item": one["item"], "label": classes[at % 4]} for at, one in enumerate(questions)]
        for one in questions:
            assert requests.get(f"{server.base}{one['media']}", timeout=30).status_code == 200
        requests.post(f"{server.base}/api/labels", json={"labels": answers}, timeout=30).raise_for_status()
        server.wait_until("/api/status", lambda now: now["model"] is not None)
        broken = {row["name"]: row["reason"] for row in server.get("/api/items?state=broken")["items"]}
        assert set(broken) == {"text.jpg", "empty.png"}
    finally:
        assert server.stop() == 0
    given = {one["name"]: classes[at % 4] for at, one in enumerate(questions)}
    assert {row["path"]: row["label"] for row in read_csv(tmp_path / "out" / "labels.csv")} == given
    for file in (tmp_path / "out").glob("labels.db*"):
        file.unlink()
    again = RunningServer(config)  # a new database takes the judgements file in
    try:
        rows = again.get("/api/items?state=labelled&limit=500")["items"]
        assert {row["name"]: row["label"] for row in rows} == given
    finally:
        again.kill()
