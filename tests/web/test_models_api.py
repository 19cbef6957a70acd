"""The Model page's API: calibration, cells of the matrix, versions, downloads; what `/metrics` tells."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from lightbulb.services.assemble import Workspace
from lightbulb.services.plugins import read_config
from lightbulb.services.production import open_production
from lightbulb.store.models import ModelFolder
from lightbulb.web.app import create_app, create_production_app
from support import answer, config_for, copy_digits, learn, opened


@pytest.fixture
def own(digits: Path, truth: Mapping[str, str], tmp_path: Path) -> Iterator[Workspace]:
    """120 digits, models 1 of 30 labels and 2 of 40."""
    directory = copy_digits(digits / "digits", tmp_path / "pool", 120)
    with opened(config_for(tmp_path, directory)) as workspace:
        learn(workspace)
        for count in (30, 10):
            answer(workspace, truth, count)
            learn(workspace)
        yield workspace


def files_of(path: Path) -> dict[str, Any]:
    return {
        "data": {"files": [(io.BytesIO(path.read_bytes()), path.name)]},
        "content_type": "multipart/form-data",
    }


# --- the model in detail -----------------------------------------------------------------------------


def test_every_cell_holds_the_items_it_counted(
    trained: Workspace, trained_client: FlaskClient, truth: Mapping[str, str]
) -> None:
    model = trained_client.get("/api/model").json["model"]
    held_out = set(trained.catalog.view.ids[trained.catalog.view.held_out].tolist())
    seen: list[int] = []
    for row, actual in enumerate(trained.task.classes):
        for column, predicted in enumerate(trained.task.classes):
            found = trained_client.get(f"/api/model/confusion?actual={actual}&predicted={predicted}").json
            assert found["version"] == model["version"]
            assert len(found["items"]) == model["confusion"][row][column]
            assert all(truth[one["name"]] == one["actual"] == actual for one in found["items"])
            seen += [one["item"] for one in found["items"]]
    assert len(seen) == len(set(seen)) == model["accuracy"]["n"] and set(seen) <= held_out


def test_a_cell_of_unknown_classes_or_without_a_model(
    client: FlaskClient, trained_client: FlaskClient
) -> None:
    wrong = trained_client.get("/api/model/confusion?actual=1&predicted=eleven")
    assert (wrong.status_code, wrong.json["error"]["code"]) == (422, "unknown_label")
    assert client.get("/api/model/confusion?actual=1&predicted=2").json["error"]["code"] == "no_model"


def test_calibration_is_of_the_same_items_and_survives_a_restart(own: Workspace) -> None:
    before = create_app(own).test_client().get("/api/model").json["model"]
    calibration = before["calibration"]
    assert calibration["n"] == before["accuracy"]["n"] == sum(one["n"] for one in calibration["bins"])
    right = sum(one["n"] * one["right"] for one in calibration["bins"] if one["n"])
    assert right / calibration["n"] == pytest.approx(before["accuracy"]["value"])
    config = own.config
    own.database.close()
    with opened(config) as again:
        learn(again)
        after = create_app(again).test_client().get("/api/model").json["model"]
    assert after["calibration"] == calibration and after["confusion"] == before["confusion"]


def test_a_model_of_an_earlier_release_says_that_it_is_not_known(own: Workspace) -> None:
    folder = own.models.folder(2)
    stored = own.models.load(2)
    classifier = {name: values for name, values in stored.arrays.items() if not name.startswith("measured.")}
    assert len(classifier) < len(stored.arrays)
    from safetensors.numpy import save_file

    save_file(classifier, folder / "model.safetensors")
    own.serving.choose(2)
    learn(own)
    client = create_app(own).test_client()
    model = client.get("/api/model").json["model"]
    assert model["calibration"] is None and np.sum(model["confusion"]) == model["accuracy"]["n"]
    refused = client.get("/api/model/confusion?actual=1&predicted=1")
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "not_known")


def test_labels_per_class_are_those_in_force(trained_client: FlaskClient) -> None:
    rows = trained_client.get("/api/model").json["model"]["classes"]
    assert {row["name"]: row["labels"] for row in rows} == trained_client.get("/api/status").json["classes"]


# --- versions ----------------------------------------------------------------------------------------


def test_roll_back_and_release(own: Workspace) -> None:
    client = create_app(own).test_client()
    listed = client.get("/api/models").json
    assert [one["version"] for one in listed["models"]] == [2, 1]
    assert (listed["pinned"], listed["serving"]) == (None, 2)
    first = listed["models"][1]
    assert first["labels"] == 30 and first["bytes"] > 1000 and first["created_at"].endswith("Z")
    assert client.post("/api/models/1/serve", json={}).json["pinned"] == 1
    learn(own)
    status = client.get("/api/status").json
    assert (status["pinned"], status["model"]["version"], status["training"]["active"]) == (1, 1, False)
    assert any("Model 1 serves" in banner["text"] for banner in status["banners"])
    assert client.post("/api/models/release", json={}).json["pinned"] is None
    learn(own)
    assert client.get("/api/status").json["model"]["version"] == 2


def test_what_cannot_serve_is_refused(own: Workspace) -> None:
    client = create_app(own).test_client()
    missing = client.post("/api/models/77/serve", json={})
    assert (missing.status_code, missing.json["error"]["code"]) == (404, "unknown_model")
    assert client.post("/api/models/1/serve", data="").status_code == 415
    assert client.get("/api/models/77/download").status_code == 404


def test_the_history_as_a_table(trained_client: FlaskClient) -> None:
    response = trained_client.get("/api/history.csv")
    assert "test-history.csv" in response.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text)))
    models = trained_client.get("/api/history").json["models"]
    assert [int(row["labels"]) for row in rows] == [model["labels"] for model in models]
    assert float(rows[-1]["accuracy"]) == models[-1]["accuracy"] and float(rows[-1]["fit_seconds"]) > 0


def test_the_downloaded_file_serves_elsewhere(
    own: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_app(own).test_client()
    response = client.get("/api/models/1/download")
    assert "test-model-1.zip" in response.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        archive.extractall(tmp_path / "elsewhere")
    folder = tmp_path / "elsewhere" / "test-model-1"
    assert "--mode production" in (folder / "README.txt").read_text()
    monkeypatch.chdir(folder)
    production = open_production(read_config(folder / "config.yml", needs_dataset=False))
    picture = sorted(own.config.dataset.directory.iterdir())[0]
    there = create_production_app(production).test_client().post("/score", **files_of(picture)).json
    production.stop()
    own.serving.choose(1)
    learn(own)
    here = client.post("/score", **files_of(picture)).json
    assert there["model"] == here["model"] == 1
    np.testing.assert_allclose(there["scores"], here["scores"], atol=1e-5)


def test_weights_of_ones_own_travel_with_the_model(own: Workspace, tmp_path: Path) -> None:
    from lightbulb.services.packing import pack

    weights = tmp_path / "own.safetensors"
    weights.write_bytes(os.urandom(1000))
    models = ModelFolder(tmp_path / "models", keep=2)
    stored = own.models.load(2)
    made_with = {"encoder": "squeezenet", "weights": str(weights), "image_size": 64}
    models.save(2, stored.arrays, {**stored.card, "made_with": made_with})
    with zipfile.ZipFile(pack(models, 2, own.config, "0.1")) as archive:
        assert archive.read("test-model-2/weights/own.safetensors") == weights.read_bytes()
        assert "weights: weights/own.safetensors" in archive.read("test-model-2/config.yml").decode()


def test_an_encoder_and_weights_of_the_same_name_both_travel(own: Workspace, tmp_path: Path) -> None:
    from lightbulb.services.packing import pack

    files = {key: tmp_path / key / "model.pt" for key in ("encoder", "weights")}
    for key, file in files.items():
        file.parent.mkdir()
        file.write_text(key)
    models = ModelFolder(tmp_path / "models", keep=2)
    stored = own.models.load(2)
    made_with = {key: str(file) for key, file in files.items()} | {"image_size": 64}
    models.save(2, stored.arrays, {**stored.card, "made_with": made_with})
    with zipfile.ZipFile(pack(models, 2, own.config, "0.1")) as archive:
        settings = yaml.safe_load(archive.read("test-model-2/config.yml"))["model"]
        for key in files:
            assert archive.read(f"test-model-2/{settings[key]}").decode() == key


# --- nearest -----------------------------------------------------------------------------------------


def test_the_nearest_labelled_items_are_named_when_asked_for(
    trained: Workspace, trained_client: FlaskClient
) -> None:
    view = trained.catalog.view
    at = np.flatnonzero(view.labelled)[7]
    file = trained.config.dataset.directory / view.keys[at]
    plain = trained_client.post("/score", **files_of(file)).json
    assert set(plain) == {"labels", "scores", "model"}
    asked = trained_client.post("/score?nearest=5", **files_of(file)).json
    assert asked["scores"] == plain["scores"]
    (nearest,) = asked["nearest"]
    assert nearest[0]["item"] == view.ids[at] and nearest[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert nearest[0]["label"] == trained.task.classes[view.labels[at]]
    assert len(nearest) == 5 and all(
        one["similarity"] >= other["similarity"] for one, other in itertools.pairwise(nearest)
    )


def test_nearest_by_hand(trained: Workspace) -> None:
    """Against all cosines, computed plainly."""
    view, encoded = trained.catalog.view, trained.encoded
    cache = encoded.cache
    assert cache is not None
    query = cache.read(encoded.rows(view.ids[:3]))
    found = trained.nearest.find(query, cache.fingerprint, 4)
    at = np.flatnonzero(view.labelled)
    points = encoded.points(encoded.rows(view.ids[at])).astype(np.float64)
    asked = encoded.points(encoded.rows(view.ids[:3])).astype(np.float64)
    cosines = (asked @ points.T) / np.linalg.norm(asked, axis=1)[:, None] / np.linalg.norm(points, axis=1)
    assert found is not None
    for row, alike in zip(found, cosines, strict=True):
        assert [one.item for one in row] == view.ids[at[np.argsort(-alike)[:4]]].tolist()
    assert trained.nearest.find(query, "another", 4) is None


def test_production_knows_no_labelled_items(trained: Workspace) -> None:
    production = open_production(trained.config)
    client = create_production_app(production).test_client()
    body = {"type": "images", "urls": [data_url(trained)]}
    assert client.post("/score?nearest=3", json=body).json["error"]["code"] == "no_items"
    assert client.post("/score", json=body).status_code == 200
    metrics = read_metrics(client)
    assert metrics["lightbulb_scored_images_total"] == 1
    assert metrics["lightbulb_model_version"] == production.snapshot.version
    assert metrics["lightbulb_accuracy_items"] == 12 and metrics["lightbulb_model_age_seconds"] < 60
    production.stop()


def data_url(workspace: Workspace) -> str:
    file = sorted(workspace.config.dataset.directory.iterdir())[0]
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


# --- metrics -----------------------------------------------------------------------------------------


def read_metrics(client: FlaskClient) -> dict[str, float]:
    """By name, with the values of the labels behind it."""
    response = client.get("/metrics")
    assert response.status_code == 200 and response.content_type.startswith("text/plain; version=")
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_metrics_tell_what_the_status_tells(trained_client: FlaskClient) -> None:
    status = trained_client.get("/api/status").json
    metrics = read_metrics(trained_client)
    assert metrics["lightbulb_items/labelled"] == status["items"]["labelled"] == 60
    assert metrics["lightbulb_items/proposed"] == status["items"]["proposed"]
    assert metrics["lightbulb_labels/7"] == status["classes"]["7"]
    assert metrics["lightbulb_model_version"] == status["model"]["version"]
    assert metrics["lightbulb_model_age_seconds"] >= status["model"]["seconds_ago"]
    for bound in ("value", "low", "high"):
        assert metrics[f"lightbulb_accuracy_ratio/{bound}"] == pytest.approx(status["accuracy"][bound])
    assert metrics["lightbulb_accuracy_items"] == 12 and metrics["lightbulb_training_seconds"] > 0


def test_requests_are_counted_by_route_in_each_app_alone(trained: Workspace, client: FlaskClient) -> None:
    other = create_app(trained).test_client()
    for item in (1, 2, 3):
        client.get(f"/media/{item}")
    client.get("/made/up")
    client.open("/made/up", method="MADE"), client.open("/made/up", method="UP")
    metrics, others = read_metrics(client), read_metrics(other)
    assert metrics["lightbulb_requests_total/GET//media/<int:item>/200"] == 3
    assert metrics["lightbulb_request_seconds_count/GET//media/<int:item>"] == 3
    assert metrics["lightbulb_requests_total/GET/none/404"] == 1
    assert metrics["lightbulb_requests_total/other/none/404"] == 2
    assert not [name for name in others if "media" in name]


def test_metrics_before_the_first_model(client: FlaskClient) -> None:
    metrics = read_metrics(client)
    assert metrics["lightbulb_items/unlabelled"] == 60 and metrics["lightbulb_items_encoded"] == 0
    assert not [name for name in metrics if name.startswith(("lightbulb_accuracy", "lightbulb_model_v"))]
