"""What the Dataset page relies on: filters and orders, bulk actions, history, uploads."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from lightbulb.config import Config
from lightbulb.records import Answer
from lightbulb.services import uploading
from lightbulb.services.assemble import Workspace
from lightbulb.services.plugins import FORMATS
from lightbulb.services.uploading import SentFile
from lightbulb.web.app import create_app
from support import config_for, copy_digits, learn, opened
from web.test_api import error_of


def names(client: FlaskClient, query: str) -> list[str]:
    found = client.get(f"/api/items?limit=500&{query}").json
    assert found["total"] == len(found["items"])
    return [row["name"] for row in found["items"]]


# --- filters and orders -----------------------------------------------------------------------------


def test_orders_by_name_and_by_time(client: FlaskClient, workspace: Workspace) -> None:
    everything = names(client, "")
    assert everything == sorted(everything) and len(everything) == 60
    assert names(client, "sort=name&descending=true") == everything[::-1]
    for item in (30, 10, 20):
        workspace.labeling.save([Answer(item, "7")])
    given = [row["item"] for row in client.get("/api/items?sort=time&state=labelled").json["items"]]
    assert given == [30, 10, 20]
    latest = client.get("/api/items?sort=time&descending=true&limit=4").json["items"]
    assert [row["item"] for row in latest[:3]] == [20, 10, 30] and latest[3]["label"] is None


def test_orders_by_confidence(trained: Workspace, trained_client: FlaskClient) -> None:
    rows = trained_client.get("/api/items?sort=confidence&limit=500").json["items"]
    scores = [row["guess"]["score"] for row in rows]
    assert len(rows) == 300 and scores == sorted(scores)
    most = trained_client.get("/api/items?sort=confidence&descending=true&limit=1").json["items"][0]
    assert most["guess"]["score"] == max(scores)


def test_filters_by_who_and_how(client: FlaskClient, workspace: Workspace) -> None:
    workspace.labeling.save([Answer(1, "7"), Answer(2, "8")])
    workspace.importing.import_text("path,label\n0009.png,7\n", FORMATS["csv"](), "else")
    workspace.catalog.reload()
    assert client.get("/api/annotators").json["annotators"] == ["annotator", "else"]
    assert names(client, "annotator=else") == ["0009.png"]
    assert names(client, "annotator=nobody") == []
    assert names(client, "source=imported") == ["0009.png"]
    assert names(client, "source=human&label=8") == ["0001.png"]
    assert names(client, "label=7") == ["0000.png", "0009.png"]
    assert names(client, "label=7&sort=name&descending=true&q=000") == ["0009.png", "0000.png"]
    assert error_of(client.get("/api/items?source=guessed"), 400)["code"] == "unknown_source"
    assert error_of(client.get("/api/items?sort=size"), 400)["code"] == "unknown_sort"
    assert error_of(client.get("/api/items?like=99999"), 404)["code"] == "unknown_item"
    assert error_of(client.get("/api/items?like=1"), 503)["code"] == "not_encoded"


def test_what_the_model_disagrees_with(trained: Workspace, trained_client: FlaskClient) -> None:
    rows = trained_client.get("/api/items?state=labelled&limit=500").json["items"]
    expected = [row["name"] for row in rows if row["guess"]["label"] != row["label"]]
    assert names(trained_client, "disagrees=true") == expected


def test_the_ids_follow_the_list(trained_client: FlaskClient) -> None:
    query = "sort=confidence&q=01"
    rows = trained_client.get(f"/api/items?limit=500&{query}").json["items"]
    ids = trained_client.get(f"/api/items/ids?offset=5&limit=20&{query}").json
    assert ids == {"total": len(rows), "ids": [row["item"] for row in rows][5:25]}


def test_likeness_is_the_cosine_of_the_points(trained: Workspace, trained_client: FlaskClient) -> None:
    view, encoded = trained.catalog.view, trained.encoded
    points = encoded.points(encoded.rows(view.ids))
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    wanted = 17
    cosines = units @ units[view.positions([wanted])[0]]
    rows = trained_client.get(f"/api/items?like={wanted}&limit=500").json["items"]
    assert rows[0]["item"] == wanted and rows[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert [row["similarity"] for row in rows] == pytest.approx(sorted(cosines, reverse=True), abs=2e-3)
    unlabelled = trained_client.get(f"/api/items?like={wanted}&state=unlabelled&limit=5").json["items"]
    best = [row["item"] for row in rows if row["label"] is None][:5]
    assert [row["item"] for row in unlabelled] == best


# --- bulk actions -----------------------------------------------------------------------------------


def bulk(client: FlaskClient, items: list[int], value: str | None, **more: Any) -> Any:
    labels = [{"item": item, "label": value} for item in items]
    return client.post("/api/labels", json={"labels": labels, "as_one": True, **more})


def labelled(client: FlaskClient) -> int:
    return int(client.get("/api/status").json["items"]["labelled"])


def test_a_bulk_is_one_step_and_sending_it_twice_is_harmless(client: FlaskClient) -> None:
    first = bulk(client, [3, 4, 5], "7", client_id="one").json
    assert first["saved"] == 3 and len(first["actions"]) == 1
    assert bulk(client, [3, 4, 5], "7", client_id="one").json == first
    assert error_of(bulk(client, [3, 4], "7", client_id="one"), 409)["code"] == "client_id_taken"
    assert labelled(client) == 3
    undone = client.post("/api/undo", json={}).json
    assert undone["kind"] == "bulk" and sorted(undone["items"]) == [3, 4, 5] and undone["questions"] == []
    assert labelled(client) == 0


def test_a_skip_leaves_labels_and_says_how_many(client: FlaskClient) -> None:
    bulk(client, [3, 4], "7")
    assert error_of(bulk(client, [3, 4], None), 409)["code"] == "nothing_to_skip"
    assert bulk(client, [3, 5, 6], None).json["kept"] == 1
    assert labelled(client) == 2 and client.get("/api/status").json["items"]["skipped"] == 2
    assert bulk(client, [7], "7").json["kept"] == 0


def test_a_bulk_is_no_answer_to_a_question(client: FlaskClient, workspace: Workspace) -> None:
    """Held-out items are asked in proportion to the questions: a thousand labels given elsewhere must not
    count as such."""
    bulk(client, list(range(1, 41)), "7")
    view = workspace.catalog.view
    assert view.labelled.sum() == 40 and view.asked.sum() == 0
    assert client.get("/api/answers").json["answers"] == []


def test_a_bulk_is_saved_whole_or_not_at_all(client: FlaskClient) -> None:
    assert error_of(bulk(client, [1, 99999], "7"), 404)["code"] == "unknown_item"
    assert error_of(bulk(client, [1, 2], "nope"), 422)["code"] == "unknown_label"
    assert "once" in error_of(bulk(client, [1, 2, 1], "7"), 422)["message"]  # no second look at it
    assert labelled(client) == 0
    many = [{"item": 1, "label": "7"}] * 1001
    assert client.post("/api/labels", json={"labels": many}).status_code == 422


def test_labels_come_off_and_back(client: FlaskClient, workspace: Workspace) -> None:
    workspace.labeling.save([Answer(1, "7")])
    workspace.labeling.save([Answer(1, "8")])
    workspace.labeling.save([Answer(2, "3")])
    removed = client.post("/api/labels/remove", json={"items": [1, 2, 3], "client_id": "x"}).json
    assert removed["removed"] == 2
    again = client.post("/api/labels/remove", json={"items": [1, 2, 3], "client_id": "x"}).json
    assert again == removed
    other = client.post("/api/labels/remove", json={"items": [3], "client_id": "x"})
    assert error_of(other, 409)["code"] == "client_id_taken"  # else 3 would only seem to be done
    view = workspace.catalog.view
    assert not view.labelled.any() and not view.skipped.any()  # asked again like any other
    assert workspace.labels.export_rows() == []
    assert error_of(client.post("/api/labels/remove", json={"items": [1]}), 409)["code"] == "no_labels"
    assert client.post("/api/undo", json={}).json["kind"] == "clear"
    assert [row["label"] for row in client.get("/api/items?state=labelled").json["items"]] == ["8", "3"]


def test_a_label_given_after_the_removal_counts(client: FlaskClient, workspace: Workspace) -> None:
    workspace.labeling.save([Answer(1, "7")])
    client.post("/api/labels/remove", json={"items": [1]})
    workspace.labeling.save([Answer(1, "9")])
    assert client.get("/api/items/1").json["label"] == "9"
    client.post("/api/undo", json={})
    assert client.get("/api/items/1").json["label"] is None  # the 7 stays removed
    client.post("/api/undo", json={})
    assert client.get("/api/items/1").json["label"] == "7"


def test_skipping_many_and_its_undo(client: FlaskClient) -> None:
    bulk(client, [5, 6, 7], None)
    assert client.get("/api/status").json["items"]["skipped"] == 3
    client.post("/api/undo", json={})
    assert client.get("/api/status").json["items"]["skipped"] == 0


def test_many_flags(client: FlaskClient) -> None:
    assert client.post("/api/flags/many", json={"items": [1, 2], "note": "odd"}).json == {"changed": 2}
    assert client.post("/api/flags/many", json={"items": [2, 3], "note": "odd"}).json == {"changed": 1}
    off = client.post("/api/flags/many", json={"items": [1, 2, 9], "flagged": False}).json
    assert off == {"changed": 2}
    assert names(client, "state=flagged") == ["0002.png"]
    assert error_of(client.post("/api/flags/many", json={"items": [4, 99999]}), 404)
    assert names(client, "state=flagged") == ["0002.png"]


def test_the_history_of_an_item(client: FlaskClient) -> None:
    client.post("/api/labels", json={"labels": [{"item": 4, "label": "7", "seconds": 1.5}]})
    client.post("/api/flags", json={"item": 4, "note": "a <b>"})
    client.post("/api/labels", json={"labels": [{"item": 4, "label": "8"}]})
    client.post("/api/undo", json={})
    client.post("/api/labels/remove", json={"items": [4]})
    client.post("/api/flags", json={"item": 4, "flagged": False})
    found = client.get("/api/items/4").json
    told = [(one["kind"], one["value"], bool(one["undone_at"]), one["in_force"]) for one in found["history"]]
    assert told == [("clear", None, False, False), ("label", "8", True, False), ("label", "7", False, False)]
    assert found["history"][2]["seconds"] == 1.5 and found["history"][2]["annotator"] == "annotator"
    assert [(one["flagged"], one["note"]) for one in found["flags"]] == [(False, ""), (True, "a <b>")]
    assert error_of(client.get("/api/items/99999"), 404)["code"] == "unknown_item"


# --- near-duplicates --------------------------------------------------------------------------------


def test_groups_of_near_duplicates(digits: Path, truth: Mapping[str, str], tmp_path: Path) -> None:
    directory = copy_digits(digits / "digits", tmp_path / "pool", 80)
    for number in range(4):
        data = (directory / "0005.png").read_bytes()
        (directory / f"same{number}.png").write_bytes(data)
    with Image.open(directory / "0007.png") as image:
        image.convert("RGB").save(directory / "again.jpg", quality=95)
    with opened(config_for(tmp_path, directory)) as workspace:
        client = create_app(workspace).test_client()
        waiting = client.get("/api/duplicates").json
        assert (waiting["state"], waiting["groups"]) == ("waiting", [])
        learn(workspace)
        client.get("/api/duplicates")
        workspace.duplicates.wait()
        found = client.get("/api/duplicates").json
        assert found["state"] == "ready" and found["compared"] == 85 and found["exact"]
        groups = {frozenset(item["name"] for item in one["items"]): one for one in found["groups"]}
        same = frozenset(["0005.png", *(f"same{number}.png" for number in range(4))])
        assert same in groups and any({"0007.png", "again.jpg"} <= names for names in groups)
        assert {one["kind"] for one in found["groups"]} == {"unlabelled"}
        ids = [item["item"] for item in groups[same]["items"]]
        bulk(client, ids[:2], "7")
        assert client.get("/api/duplicates").json["counts"]["partly"] == 1
        bulk(client, ids[2:], "8")
        first = client.get("/api/duplicates").json["groups"][0]
        assert first["kind"] == "conflict" and first["labels"] == {"7": 2, "8": 3}
        bulk(client, ids[:2], "7"), bulk(client, ids[2:], "8")  # looked at again, and kept
        assert client.get("/api/duplicates").json["counts"]["conflict"] == 0


# --- adding files -----------------------------------------------------------------------------------


def png(shade: int = 0, size: int = 8) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), (shade, shade, shade)).save(out, "PNG")
    return out.getvalue()


def upload(client: FlaskClient, *files: tuple[str, bytes], **headers: str) -> Any:
    data = {"files": [(io.BytesIO(content), name) for name, content in files]}
    return client.post("/api/upload", data=data, headers=headers)


def test_what_is_uploaded_becomes_an_item(client: FlaskClient, workspace: Workspace, pool: Path) -> None:
    answer = upload(client, ("new/cats/a.png", png(1)), ("b.PNG", png(2))).json
    assert [one["result"] for one in answer["files"]] == ["added", "added"] and answer["added"] == 2
    assert (pool / "new" / "cats" / "a.png").read_bytes() == png(1)
    item = answer["files"][0]["item"]
    assert client.get(f"/api/items/{item}").json["name"] == "new/cats/a.png"
    assert client.get(f"/media/{item}").data == png(1)
    assert client.get("/api/status").json["items"]["total"] == 62
    assert names(client, "q=new/") == ["new/cats/a.png"]
    assert client.post("/api/rescan", json={}).json["added"] == 0  # the folder and the pool agree
    workspace.labeling.save([Answer(item, "7")])
    learn(workspace)
    assert workspace.encoded.count == 62


def test_known_content_and_taken_names(client: FlaskClient, workspace: Workspace, pool: Path) -> None:
    learn(workspace)
    original = (pool / "0003.png").read_bytes()
    copy = upload(client, ("copy.png", original)).json["files"][0]
    assert (copy["result"], copy["key"], copy["item"]) == ("known", "0003.png", 4)
    assert not (pool / "copy.png").exists()
    other = upload(client, ("0003.png", png(3))).json["files"][0]
    assert (other["result"], other["key"]) == ("added", "0003-2.png")
    again = upload(client, ("0003.png", png(3)), ("x.png", png(3))).json["files"]
    assert [one["result"] for one in again] == ["known", "known"]
    assert (pool / "0003.png").read_bytes() == original


def test_known_content_is_known_while_another_encoder_begins(pool: Path, tmp_path: Path) -> None:
    original = (pool / "0003.png").read_bytes()
    with opened(config_for(tmp_path, pool)) as workspace:
        learn(workspace)
    with opened(config_for(tmp_path, pool, model={"image_size": 96})) as workspace:
        for _ in range(2):  # before the encoder is loaded, and before it has seen anything
            found = workspace.uploading.add([SentFile("copy.png", original)])[0]
            assert (found.result, found.item) == ("known", 4)
            workspace.learner.step()


def test_a_vanished_item_comes_back_with_its_file(client: FlaskClient, pool: Path) -> None:
    data = (pool / "0004.png").read_bytes()
    (pool / "0004.png").unlink()
    client.post("/api/rescan", json={})
    assert names(client, "state=broken") == ["0004.png"]
    back = upload(client, ("0004.png", data)).json["files"][0]
    assert (back["result"], back["item"]) == ("added", 5)
    assert names(client, "state=broken") == []


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("a.txt", b"hello", "not a kind of file"),
        ("noname", png(), "not a kind of file"),
        ("a.png", b"hello", "not an image"),
        ("a.png", png(size=64)[:-40], "damaged"),
        ("a.png", b"", "empty"),
        ("a.png", png(size=2000), "megapixels"),
        ("..png", png(), "not a kind of file"),
    ],
)
def test_what_cannot_be_an_item_is_refused_by_name(
    digits: Path, tmp_path: Path, name: str, data: bytes, word: str
) -> None:
    with opened(small_limits(digits, tmp_path)) as workspace:
        client = create_app(workspace).test_client()
        error = error_of(upload(client, (name, data)), 400)
        assert error["code"] == "unusable_files" and word in error["message"]
        assert error["details"] == [{"name": name, "problem": error["details"][0]["problem"]}]
        mixed = upload(client, (name, data), ("good.png", png(9))).json
        assert [one["result"] for one in mixed["files"]] == ["refused", "added"]
        assert word in mixed["files"][0]["problem"]
        files = {file.name for file in (tmp_path / "pool").rglob("*")}
        assert files == {"0000.png", "0001.png", "0002.png", "good.png"}


def small_limits(digits: Path, tmp_path: Path, **server: Any) -> Config:
    directory = copy_digits(digits / "digits", tmp_path / "pool", 3)
    return config_for(tmp_path, directory, server={"max_image_megapixels": 2.0, **server})


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("../../etc/a.png", "etc/a.png"),
        ("/etc/a.png", "etc/a.png"),
        ("..\\..\\windows\\a.png", "windows/a.png"),
        ("C:/a.png", "a.png"),
        (".hidden/.a.png", "hidden/a.png"),
        ("./x/./a.png", "x/a.png"),
        ("a\nb\x00.png", "ab.png"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("é" * 300 + ".png", "é" * 118 + ".png"),
        ("図" * 300 + ".png", "図" * 78 + ".png"),  # 3 bytes each: 255 are the most for a name
        ("/".join(["😀" * 100] * 40) + ".png", "/".join(["😀" * 60] * 12 + ["😀" * 59]) + ".png"),
        ("pool/a. " + "long " * 100 + "/b.png", None),
    ],
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, digits: Path, name: str, key: str | None) -> None:
    with opened(small_limits(digits, tmp_path)) as workspace:
        added = workspace.uploading.add([SentFile(name, png())])[0]
        assert added.result == "added" and key in (None, added.key)
        inside = set(tmp_path.rglob("*.png"))
        assert all(file.is_relative_to(tmp_path / "pool") for file in inside) and len(inside) == 4


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, digits: Path) -> None:
    config = small_limits(digits, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pool" / "out").symlink_to(tmp_path / "elsewhere")
    with opened(config) as workspace:
        client = create_app(workspace).test_client()
        assert "link out of" in error_of(upload(client, ("out/a.png", png())), 400)["message"]
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_to_itself_is_no_folder(client: FlaskClient, pool: Path) -> None:
    (pool / "loop").symlink_to(pool / "loop")
    assert "loop is there already" in error_of(upload(client, ("loop/a.png", png())), 400)["message"]


def test_a_file_where_a_folder_is_needed_refuses_that_file_alone(client: FlaskClient, pool: Path) -> None:
    sent = [("x/a.png", png(1)), ("x/a.png/b.png", png(2)), ("x/a.png/c/d.png", png(3)), ("x/e.png", png(4))]
    found = upload(client, *sent).json["files"]
    assert [one["result"] for one in found] == ["added", "refused", "refused", "added"]
    assert "x/a.png is there already" in found[1]["problem"] and found[1]["problem"] == found[2]["problem"]
    assert sorted(file.name for file in (pool / "x").iterdir()) == ["a.png", "e.png"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for a file whose name begins with "late"."""
    write = uploading.write_atomically

    def write_if_there_is_room(path: Path, content: bytes) -> None:
        if path.name.startswith("late"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    monkeypatch.setattr(uploading, "write_atomically", write_if_there_is_room)


def test_a_link_that_leads_nowhere_is_left_alone(client: FlaskClient, pool: Path, tmp_path: Path) -> None:
    (pool / "a.png").symlink_to(tmp_path / "unmounted" / "a.png")
    assert upload(client, ("a.png", png())).json["files"][0]["key"] == "a-2.png"
    assert (pool / "a.png").is_symlink()


@pytest.mark.usefixtures("full_disk")
def test_what_was_written_before_a_failure_is_an_item(client: FlaskClient) -> None:
    error_of(upload(client, ("good.png", png(1)), ("late.png", png(2))), 409)
    assert names(client, "q=good") == ["good.png"]
    again = upload(client, ("good.png", png(1))).json["files"][0]
    assert again["result"] == "known" and again["item"] is not None


def test_content_that_was_replaced_on_disk_is_not_known_any_more(client: FlaskClient, pool: Path) -> None:
    upload(client, ("a.png", png(1)))
    (pool / "a.png").write_bytes(png(2))
    back = upload(client, ("a.png", png(1))).json["files"][0]
    assert (back["result"], back["key"]) == ("added", "a-2.png")


@pytest.mark.usefixtures("full_disk")
def test_a_folder_that_cannot_be_written(client: FlaskClient, pool: Path) -> None:
    error = error_of(upload(client, ("late.png", png())), 409)
    assert error["code"] == "cannot_write" and str(pool) in error["message"]
    assert client.get("/api/status").json["items"]["total"] == 60


def test_uploads_can_be_switched_off(tmp_path: Path, digits: Path) -> None:
    with opened(small_limits(digits, tmp_path, uploads=False)) as workspace:
        client = create_app(workspace).test_client()
        assert client.get("/api/task").json["uploads"]["allowed"] is False
        assert error_of(upload(client, ("a.png", png())), 409)["code"] == "uploads_off"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[evil"])
def test_a_foreign_page_cannot_upload(client: FlaskClient, pool: Path, origin: str) -> None:
    refused = upload(client, ("a.png", png()), Origin=origin)
    assert error_of(refused, 403) and not (pool / "a.png").exists()
    assert upload(client, ("a.png", png()), Origin="http://localhost").status_code == 200


def test_a_bulk_of_skips_sent_again_is_answered_as_before(client: FlaskClient) -> None:
    """Also where the items have labels by now: the first time they had none."""
    first = bulk(client, [3, 4], None, client_id="skips").json
    bulk(client, [3, 4], "7")
    assert bulk(client, [3, 4], None, client_id="skips").json["action"] == first["action"]
    assert error_of(bulk(client, [3, 4], None, client_id="others"), 409)["code"] == "nothing_to_skip"
    assert error_of(bulk(client, [3], None, client_id="skips"), 409)["code"] == "client_id_taken"
