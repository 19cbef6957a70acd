"""`POST /score`: as documented, by the present model, with clear refusals."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from lightbulb.errors import StoreError
from lightbulb.services.assemble import Workspace
from lightbulb.services.production import open_production
from lightbulb.web.app import create_app, create_production_app
from serving import folder_served
from support import DIGIT_CLASSES, config_for


def data_url(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


@pytest.fixture
def images(trained: Workspace) -> list[Path]:
    return sorted(trained.config.dataset.directory.iterdir())[:3]


@pytest.fixture
def file_server(trained: Workspace) -> Iterator[str]:
    with folder_served(trained.config.dataset.directory) as base:
        yield base


def test_no_model_says_how_many_labels_are_missing(client: FlaskClient, pool: Path) -> None:
    response = client.post("/score", json={"type": "images", "urls": [data_url(pool / "0000.png")]})
    assert response.status_code == 503
    error = response.json["error"]
    assert error["code"] == "no_model" and "10 more labels" in error["message"]
    assert error["details"] == [{"labels_missing": 10}]


def test_rows_in_the_order_asked_classes_in_config_order(
    trained_client: FlaskClient, trained: Workspace, images: list[Path]
) -> None:
    urls = [data_url(path) for path in images]
    answer = trained_client.post("/score", json={"type": "images", "urls": urls}).json
    assert answer["labels"] == list(DIGIT_CLASSES)
    snapshot = trained.learner.snapshot
    assert snapshot is not None
    np.testing.assert_allclose(
        answer["scores"], snapshot.probs[snapshot.rows_of(np.array([1, 2, 3]))], atol=2e-3
    )
    turned = trained_client.post("/score", json={"type": "images", "urls": urls[::-1]}).json
    np.testing.assert_allclose(turned["scores"], answer["scores"][::-1], atol=1e-4)


def test_uploaded_files_score_the_same(trained_client: FlaskClient, images: list[Path]) -> None:
    by_url = trained_client.post("/score", json={"type": "images", "urls": [data_url(images[0])]}).json
    form = {"files": [(io.BytesIO(images[0].read_bytes()), "a.png")]}
    by_file = trained_client.post("/score", data=form, content_type="multipart/form-data").json
    np.testing.assert_allclose(by_file["scores"], by_url["scores"], atol=1e-5)


def test_urls_are_fetched_only_where_private_addresses_are_allowed(
    trained: Workspace, trained_client: FlaskClient, file_server: str, images: list[Path]
) -> None:
    body = {"type": "images", "urls": [f"{file_server}/{images[0].name}"]}
    refused = trained_client.post("/score", json=body)
    assert refused.status_code == 502 and "private" in refused.json["error"]["message"]
    allowed = config_for(Path("/nowhere"), Path("/nowhere"), server={"allow_private_urls": True})
    from dataclasses import replace

    from lightbulb.services.fetching import make_fetcher
    from lightbulb.services.scoring import Scoring

    scoring = Scoring(
        lambda: trained.learner.snapshot,
        trained.learner.encoder_of,
        make_fetcher(allowed),
        lambda: NotImplemented,
    )
    client = create_app(replace(trained, scoring=scoring)).test_client()
    assert len(client.post("/score", json=body).json["scores"]) == 1
    missing = client.post("/score", json={"type": "images", "urls": [f"{file_server}/none.png"]})
    assert missing.status_code == 502 and "404" in missing.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"type": "images", "urls": []}, 422, "urls"),
        ({"type": "images"}, 422, "urls"),
        ({"type": "text", "texts": ["a"]}, 422, "images"),
        ({"type": "images", "urls": "http://x/"}, 422, "urls"),
        ({"type": "images", "urls": ["file:///etc/passwd"]}, 400, "http:"),
        ({"type": "images", "urls": ["data:image/png;base64,@@@"]}, 400, "base64"),
        ({"type": "images", "urls": ["data:text/plain,hello"]}, 422, "not an image"),
        ({"type": "images", "urls": ["data:image/png;base64,"]}, 422, "0 bytes"),
        ({"type": "images", "urls": ["http://localhost/a.png"]}, 502, "private"),
        ({"type": "images", "urls": ["http://169.254.169.254/latest"]}, 502, "private"),
        ([1, 2], 422, ""),
    ],
)
def test_refusals_are_clear(trained_client: FlaskClient, body: Any, status: int, word: str) -> None:
    response = trained_client.post("/score", json=body)
    assert response.status_code == status, response.text
    assert word in response.json["error"]["message"]


def test_every_bad_input_is_named(trained_client: FlaskClient, images: list[Path]) -> None:
    urls = [data_url(images[0]), "data:text/plain,hello", data_url(images[1]), "data:text/plain,"]
    error = trained_client.post("/score", json={"type": "images", "urls": urls}).json["error"]
    assert [detail["index"] for detail in error["details"]] == [1, 3]


def test_broken_uploads(trained_client: FlaskClient) -> None:
    none = trained_client.post("/score", data={}, content_type="multipart/form-data")
    assert none.status_code == 400 and "files" in none.json["error"]["message"]
    form = {"files": [(io.BytesIO(b"text"), "cat.jpg")]}
    text = trained_client.post("/score", data=form, content_type="multipart/form-data")
    assert text.status_code == 422 and "cat.jpg" in text.json["error"]["message"]


def test_production_serves_the_last_model_and_nothing_else(
    trained: Workspace, trained_client: FlaskClient, images: list[Path]
) -> None:
    config = trained.config.model_copy(
        update={"dataset": trained.config.dataset.model_copy(update={"directory": Path("/nowhere")})}
    )
    client = create_production_app(open_production(config)).test_client()
    body = {"type": "images", "urls": [data_url(images[0])]}
    here, there = (one.post("/score", json=body).json for one in (client, trained_client))
    np.testing.assert_allclose(here["scores"], there["scores"], atol=1e-5)
    for path in ("/", "/api/status", "/api/questions", "/media/1"):
        assert client.get(path).status_code == 404
    assert client.get("/healthz").status_code == 200


def test_production_without_a_model_or_with_another_encoder(trained: Workspace, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no model"):
        open_production(config_for(tmp_path, tmp_path))
    other = trained.config.model_copy(
        update={"model": trained.config.model.model_copy(update={"image_size": 96})}
    )
    with pytest.raises(StoreError, match="at 96"):
        open_production(other.model_copy(update={"dataset": trained.config.dataset}))
