"""The shapes that clients rely on, and honest errors."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from lightbulb.services.assemble import Workspace


def error_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    error = response.json["error"]
    assert set(error) == {"code", "message", "details"}
    return dict(error)


def label(client: FlaskClient, item: int, value: Any, **more: Any) -> Any:
    return client.post("/api/labels", json={"labels": [{"item": item, "label": value, **more}]})


def test_status_has_the_promised_shape(client: FlaskClient, trained_client: FlaskClient) -> None:
    empty = client.get("/api/status").json
    assert empty["items"] == {
        "total": 60, "labelled": 0, "unlabelled": 60, "proposed": 0, "broken": 0, "skipped": 0, "flagged": 0,
    }  # fmt: skip
    assert empty["accuracy"] is None and empty["model"] is None and empty["seconds_per_label"] is None
    assert empty["training"]["state"] in ("idle", "encoding") and empty["training"]["active"] is False
    assert empty["needed"]["labels_missing"] == 10
    full = trained_client.get("/api/status").json
    assert full["items"]["labelled"] == 60 and full["training"]["active"] is True
    assert set(full["accuracy"]) == {"value", "low", "high", "n", "imported"} and full["accuracy"]["n"] == 12
    assert full["accuracy"]["low"] <= full["accuracy"]["value"] <= full["accuracy"]["high"]
    assert full["model"]["labels"] == 60 and full["seconds_per_label"] == 1.0
    assert sum(full["classes"].values()) == 60


def test_ask_answer_undo(client: FlaskClient) -> None:
    asked = client.get("/api/questions?n=2&client=me").json
    assert asked["remaining"] == 60 and len(asked["questions"]) == 2
    first = asked["questions"][0]
    assert first["media"] == f"/media/{first['item']}" and first["guess"] is None
    saved = label(client, first["item"], "7", seconds=1.2, client_id="one").json
    assert saved["saved"] == 1
    assert client.get("/api/status").json["items"]["labelled"] == 1
    undone = client.post("/api/undo", json={}).json
    assert undone["undone"] == saved["action"] and undone["items"] == [first["item"]]
    assert undone["questions"][0]["item"] == first["item"]
    assert client.get("/api/status").json["items"]["labelled"] == 0
    assert error_of(client.post("/api/undo", json={}), 409)["code"] == "nothing_to_undo"


def test_sending_an_answer_twice_is_harmless(client: FlaskClient) -> None:
    first, again = (label(client, 1, "7", client_id="abc").json for _ in range(2))
    assert first == again
    assert error_of(label(client, 1, "8", client_id="abc"), 409)["code"] == "client_id_taken"


def test_skip_and_its_undo(client: FlaskClient) -> None:
    assert label(client, 5, None).status_code == 200
    assert client.get("/api/status").json["items"]["skipped"] == 1
    assert client.post("/api/undo", json={}).json["kind"] == "skip"
    assert client.get("/api/status").json["items"]["skipped"] == 0


def test_a_flag_its_note_and_taking_it_off(client: FlaskClient) -> None:
    put = client.post("/api/flags", json={"item": 5, "note": "blurred <b>"}).json
    assert put["flag"]["note"] == "blurred <b>" and put["flag"]["annotator"] == "annotator"
    assert client.post("/api/flags", json={"item": 5, "note": "blurred <b>"}).json == put  # sent twice
    client.post("/api/flags", json={"item": 7})
    rows = client.get("/api/items?state=flagged").json
    assert rows["total"] == 2
    assert {row["item"]: row["flag"]["note"] for row in rows["items"]} == {5: "blurred <b>", 7: ""}
    assert client.get("/api/status").json["items"]["flagged"] == 2
    assert client.post("/api/flags", json={"item": 7, "flagged": False}).json == {"item": 7, "flag": None}
    assert client.post("/api/flags", json={"item": 7, "flagged": False}).status_code == 200
    assert [row["item"] for row in client.get("/api/items?state=flagged").json["items"]] == [5]
    everything = client.get("/api/items").json["items"]
    assert [row["item"] for row in everything if row["flag"]] == [5]
    asked = client.get("/api/questions?n=60").json["questions"]
    assert [one["item"] for one in asked if one["flag"] == put["flag"]] == [5]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"item": 99999}, 404, "unknown_item"),
        ({"item": 99999, "flagged": False}, 404, "unknown_item"),
        ({"item": 1, "note": "x" * 2001}, 422, "invalid_request"),
        ({"note": "which?"}, 422, "invalid_request"),
    ],
)
def test_bad_flags_are_refused(client: FlaskClient, body: Any, status: int, code: str) -> None:
    assert error_of(client.post("/api/flags", json=body), status)["code"] == code
    assert client.get("/api/items?state=flagged").json["total"] == 0


@pytest.mark.parametrize(
    ("body", "status", "code", "word"),
    [
        ({"labels": [{"item": 1, "label": "seven"}]}, 422, "unknown_label", "seven"),
        ({"labels": [{"item": 99999, "label": "7"}]}, 404, "unknown_item", "99999"),
        ({"labels": [{"item": -1, "label": "7"}]}, 422, "invalid_request", "item"),
        ({"labels": [{"item": 10**30, "label": "7"}]}, 422, "invalid_request", "item"),
        ({"labels": [{"item": 1}]}, 422, "invalid_request", "label"),
        ({"labels": []}, 422, "invalid_request", "labels"),
        ({"labels": [{"item": 1, "label": "7", "seconds": -3}]}, 400, "bad_input", "seconds"),
        ({"labels": [{"item": 1, "label": "7", "sceonds": 3}]}, 422, "invalid_request", "sceonds"),
        ({"lables": []}, 422, "invalid_request", "labels"),
        ([], 422, "invalid_request", ""),
    ],
)
def test_bad_answers_are_refused_by_name(
    client: FlaskClient, body: Any, status: int, code: str, word: str
) -> None:
    error = error_of(client.post("/api/labels", json=body), status)
    assert error["code"] == code and word in error["message"]
    assert client.get("/api/status").json["items"]["labelled"] == 0


def test_one_bad_answer_saves_none(client: FlaskClient) -> None:
    body = {"labels": [{"item": 1, "label": "7"}, {"item": 2, "label": "nope", "client_id": "x"}]}
    error = error_of(client.post("/api/labels", json=body), 422)
    assert error["details"] == [
        {"item": 2, "client_id": "x", "problem": error["message"]},
    ]
    assert client.get("/api/status").json["items"]["labelled"] == 0


def test_a_page_that_stayed_open_overnight(client: FlaskClient) -> None:
    """The page counts up to ten hours; the answer must not be lost over it."""
    assert label(client, 1, "7", seconds=36_000).status_code == 200
    assert error_of(label(client, 2, "7", seconds=36_001), 400)["code"] == "bad_input"


@pytest.mark.parametrize("path", ["/api/labels", "/api/undo", "/api/flags", "/api/labels/remove"])
def test_a_page_about_another_dataset_changes_nothing(
    client: FlaskClient, workspace: Workspace, path: str
) -> None:
    headers = {"X-Lightbulb-Pool": "some other"}
    assert error_of(client.post(path, json={}, headers=headers), 409)["code"] == "other_dataset"
    assert error_of(client.get("/api/status", headers=headers), 409)["code"] == "other_dataset"
    assert client.get("/api/status", headers={"X-Lightbulb-Pool": workspace.pool_id}).status_code == 200


def test_not_a_number_is_no_time(client: FlaskClient) -> None:
    text = '{"labels": [{"item": 1, "label": "7", "seconds": NaN}]}'
    response = client.post("/api/labels", data=text, content_type="application/json")
    assert response.status_code in (400, 422)


@pytest.mark.parametrize("text", ['{"labels": [', "", "\xff", '{"a":' * 5000])
@pytest.mark.parametrize("path", ["/api/labels", "/score"])
def test_malformed_json(client: FlaskClient, path: str, text: str) -> None:
    response = client.post(path, data=text.encode("latin-1"), content_type="application/json")
    assert error_of(response, 400)["code"] == "bad_json"


def test_other_content_types(client: FlaskClient) -> None:
    assert error_of(client.post("/api/undo", data={"a": "b"}), 415)["code"] == "unsupported_media_type"
    assert error_of(client.post("/score", data="hello", content_type="text/plain"), 400)


@pytest.mark.parametrize("query", ["offset=99999999999999999999", "q=%00", "limit=501", "limits=5"])
def test_item_queries_out_of_range(client: FlaskClient, query: str) -> None:
    assert error_of(client.get(f"/api/items?{query}"), 422)["code"] == "invalid_request"


def test_unknown_paths_and_methods(client: FlaskClient) -> None:
    assert error_of(client.get("/api/nothing"), 404)["code"] == "not_found"
    assert error_of(client.get("/api/labels"), 405)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/media/../../etc/passwd",
        "/media/%2e%2e%2fsecret",
        "/media/0000.png",
        "/media/-1",
        "/static/../cli.py",
    ],
)
def test_pixels_come_by_id_never_by_path(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code in (404, 422) and response.json["error"]["code"]


def test_many_thumbnails_in_one_answer(client: FlaskClient, pool: Path) -> None:
    """The same bytes as one by one; what cannot be shown is left out."""
    (pool / "0001.png").unlink()
    made = client.get("/media/thumbnails?items=3,2,1,99999&width=32").json["thumbnails"]
    assert set(made) == {"1", "3"}
    head, body = made["3"].split(",")
    single = client.get("/media/3?width=32")
    assert head == f"data:{single.mimetype};base64" and base64.b64decode(body) == single.data
    assert error_of(client.get("/media/2"), 404)["code"] == "broken_item"
    for wrong in ("items=&width=32", "items=1,x&width=32", "items=1&width=4000", "items=1"):
        assert client.get(f"/media/thumbnails?{wrong}").status_code in (400, 422)


def test_media_whole_small_and_not_modified(client: FlaskClient, pool: Path) -> None:
    whole = client.get("/media/1")
    assert whole.data == (pool / "0000.png").read_bytes() and whole.mimetype == "image/png"
    small = client.get("/media/1?width=32")
    assert Image.open(io.BytesIO(small.data)).size == (32, 32)
    again = client.get("/media/1", headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304
    assert error_of(client.get("/media/99999"), 404)["code"] == "unknown_item"


def test_a_broken_file_is_shown_with_its_reason_and_never_served(
    client: FlaskClient, pool: Path, workspace: Workspace
) -> None:
    (pool / "0003.png").write_bytes(b"no picture at all")
    (pool / "0004.png").write_bytes(b"")
    workspace.rescan()
    item = workspace.items.ids_by_key(["0003.png"])["0003.png"]
    assert error_of(client.get(f"/media/{item}"), 404)["code"] == "broken_item"
    rows = {row["name"]: row for row in client.get("/api/items?state=broken").json["items"]}
    assert "not an image" in rows["0003.png"]["reason"] and "0 bytes" in rows["0004.png"]["reason"]
    asked = client.get("/api/questions?n=100").json["questions"]
    assert not {"0003.png", "0004.png"} & {one["name"] for one in asked}
    assert any("2 files" in banner["text"] for banner in client.get("/api/status").json["banners"])


def test_items_filter_search_and_page(trained_client: FlaskClient) -> None:
    everything = trained_client.get("/api/items?limit=50").json
    assert everything["total"] == 300 and len(everything["items"]) == 50
    page = trained_client.get("/api/items?limit=50&offset=290").json["items"]
    assert len(page) == 10
    labelled = trained_client.get("/api/items?state=labelled&limit=500").json
    assert labelled["total"] == 60
    assert {(row["state"], row["source"]) for row in labelled["items"]} == {("labelled", "human")}
    sevens = trained_client.get("/api/items?state=labelled&label=7").json
    assert sevens["total"] == trained_client.get("/api/status").json["classes"]["7"]
    assert trained_client.get("/api/items?q=001").json["total"] == 11  # 0001 and 0010 to 0019
    assert error_of(trained_client.get("/api/items?state=odd"), 400)["code"] == "unknown_state"
    assert error_of(trained_client.get("/api/items?label=odd"), 422)["code"] == "unknown_label"
    assert error_of(trained_client.get("/api/items?limit=0"), 422)["code"] == "invalid_request"


def test_search_takes_wildcards_as_they_are_written(client: FlaskClient) -> None:
    assert client.get("/api/items?q=%25").json["total"] == 0
    assert client.get("/api/items?q=_").json["total"] == 0


def test_export_is_what_was_labelled(client: FlaskClient, workspace: Workspace) -> None:
    label(client, 2, "4", seconds=1.234)
    response = client.get("/api/export?format=csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [
        (row["path"], row["label"], row["labelled_by"], row["source"], row["seconds"]) for row in rows
    ] == [("0001.png", "4", "annotator", "human", "1.23")]
    assert "attachment" in response.headers["Content-Disposition"]
    assert "cvs" in error_of(client.get("/api/export?format=cvs"), 400)["message"]


def test_batches_with_nothing_to_confirm(client: FlaskClient) -> None:
    assert client.get("/api/batches/next").json == {
        "batch": None, "label": None, "candidates": 0, "items": [], "audit": None,
        "ahead": [], "certificates": [],
    }  # fmt: skip
    assert error_of(client.post("/api/batches/7", json={"rejected": []}), 404)["code"] == "unknown_batch"


def test_history_has_a_row_for_each_model(trained_client: FlaskClient) -> None:
    rows = trained_client.get("/api/history").json["models"]
    assert rows[-1]["labels"] == 60 and rows[-1]["n"] == 12 and rows[-1]["created_at"].endswith("Z")


@pytest.mark.parametrize("page", ["/", "/review", "/dataset", "/model", "/try"])
def test_pages_need_nothing_from_elsewhere(client: FlaskClient, page: str) -> None:
    response = client.get(page)
    assert response.status_code == 200 and "Which digit?" in response.text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', response.text)
    assert loaded and all(address.startswith(("/", "#")) for address in loaded)
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]


def test_a_foreign_host_name_is_refused(client: FlaskClient) -> None:
    assert client.get("/api/status", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/api/status", headers={"Host": "127.0.0.1:5000"}).status_code == 200


def test_the_api_describes_itself_offline(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert {"/score", "/api/labels", "/api/batches/{batch}", "/media/{item}"} <= set(document["paths"])
    assert "multipart/form-data" in document["paths"]["/score"]["post"]["requestBody"]["content"]
    page = client.get("/docs", follow_redirects=True)
    assert page.status_code == 200 and "https://" not in page.text
    assert client.get("/healthz").text == "ok\n"


def test_truth_is_a_fixture_and_nothing_else(truth: Mapping[str, str], client: FlaskClient) -> None:
    """The truth lies beside the folder, so that no page can show it."""
    names = {row["name"] for row in client.get("/api/items?limit=500").json["items"]}
    assert names <= set(truth) and not any(name.endswith(".csv") for name in names)


# --- what the model knows of itself ------------------------------------------------------------------


def test_the_model_in_detail(trained_client: FlaskClient) -> None:
    model = trained_client.get("/api/model").json["model"]
    assert [row["name"] for row in model["classes"]] == [str(digit) for digit in range(10)]
    confusion = np.array(model["confusion"])
    assert confusion.shape == (10, 10) and confusion.sum() == model["accuracy"]["n"]
    assert np.trace(confusion) / confusion.sum() == pytest.approx(model["accuracy"]["value"])
    for row, found, called in zip(model["classes"], confusion, confusion.T, strict=True):
        digit = int(row["name"])
        assert row["n"] == found.sum()
        assert row["recall"] == (pytest.approx(found[digit] / found.sum()) if found.sum() else None)
        assert row["precision"] == (pytest.approx(called[digit] / called.sum()) if called.sum() else None)


def test_before_the_first_model(client: FlaskClient) -> None:
    assert client.get("/api/model").json == {"model": None}
    assert client.get("/api/suspects").json == {"suspects": [], "conflicts": []}
    outlook = client.get("/api/status").json["outlook"]
    assert outlook == {"gain": None, "actions_left": None, "minutes_left": None}


def test_suspects_and_outlook(trained_client: FlaskClient) -> None:
    for row in trained_client.get("/api/suspects").json["suspects"]:
        assert set(row) == {"item", "name", "media", "label", "suggested", "score"}
        assert row["label"] != row["suggested"] and 0 < row["score"] <= 1
    outlook = trained_client.get("/api/status").json["outlook"]
    assert 0 < outlook["actions_left"] <= 240


def test_what_is_not_certified_cannot_be_accepted(client: FlaskClient, trained_client: FlaskClient) -> None:
    assert error_of(client.post("/api/batches/7/accept-rest", json={}), 404)["code"] == "unknown_batch"
    batch = trained_client.get("/api/batches/next").json
    if batch["batch"] is not None:
        assert batch["audit"]["certified"] is False and batch["audit"]["bound"] is None
        assert set(batch["items"][0]) == {"item", "name", "media", "score", "similar"}
        assert sorted(one["similar"] for one in batch["items"]) == list(range(len(batch["items"])))
        answer = trained_client.post(f"/api/batches/{batch['batch']}/accept-rest", json={})
        assert error_of(answer, 409)["code"] == "not_certified"


# --- looking back ------------------------------------------------------------------------------------


def test_undo_of_one_answer_happens_once(client: FlaskClient) -> None:
    label(client, 1, "7", client_id="first")
    label(client, 2, "8", client_id="second")
    undone = client.post("/api/undo", json={"of": "first"}).json
    assert undone["items"] == [1] and undone["questions"][0]["item"] == 1
    assert client.post("/api/undo", json={"of": "first"}).json["items"] == [1]  # sent again
    assert [row["item"] for row in client.get("/api/items?state=labelled").json["items"]] == [2]
    assert error_of(client.post("/api/undo", json={"of": "never sent"}), 409)["code"] == "nothing_to_undo"


def test_ones_last_answers(client: FlaskClient) -> None:
    assert client.get("/api/answers").json == {"answers": []}
    for item, value in ((1, "7"), (2, "8"), (3, None), (1, "9"), (4, "4")):
        label(client, item, value)
    client.post("/api/undo", json={})
    rows = client.get("/api/answers").json["answers"]
    assert [(row["item"], row["label"]) for row in rows] == [(1, "9"), (3, None), (2, "8")]
    assert rows[0]["media"] == "/media/1" and rows[0]["name"] == "0000.png"
    older = client.get(f"/api/answers?n=1&before={rows[1]['action']}").json["answers"]
    assert [row["item"] for row in older] == [2]


def test_questions_carry_the_probability_of_every_class(trained_client: FlaskClient) -> None:
    for question in trained_client.get("/api/questions?n=5&client=scores").json["questions"]:
        assert len(question["scores"]) == 10 and sum(question["scores"]) == pytest.approx(1, abs=1e-3)
        best = question["scores"].index(max(question["scores"]))
        assert str(best) == question["guess"]["label"]


def test_a_small_picture_is_not_compressed_anew(client: FlaskClient, pool: Path) -> None:
    whole = client.get("/media/1?width=64")
    assert whole.data == (pool / "0000.png").read_bytes() and whole.mimetype == "image/png"
    assert client.get("/media/1?width=16").mimetype == "image/jpeg"
