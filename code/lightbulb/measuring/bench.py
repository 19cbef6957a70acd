"""Benchmarks: the real service against the bare work it cannot avoid, in one run, as a ratio."""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import requests

from lightbulb.config import Config
from lightbulb.datasets.digits import Digits
from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.errors import LightBulbError
from lightbulb.services.assemble import Workspace, open_workspace
from lightbulb.services.plugins import DECODERS
from lightbulb.store.embeddings import EmbeddingCache
from lightbulb.web.app import create_app
from lightbulb.web.server import listen

PUBLISH_TIMEOUT_SECONDS = 60.0
READY_TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Service:
    """A running service on a free port. base: its URL."""

    workspace: Workspace
    base: str


def bench_retrain(n_labels: int, posts: int) -> dict[str, Any]:
    """Seconds from POST /api/labels to the snapshot that includes the label, on the 1,797 digits.

    The bare baseline is one fit of the decoder to the same labelled embeddings: no folds for the
    calibration, no evaluation, no rescoring of the pool, no files, no HTTP.
    """
    with tempfile.TemporaryDirectory(prefix="lightbulb-bench-") as folder:
        Digits().make(Path(folder))
        truth = pd.read_csv(Path(folder) / "digits.truth.csv", dtype=str)
        answers = dict(zip(truth["path"], truth["label"], strict=True))
        with running_service(digits_config(Path(folder))) as service:
            wait_until_encoded(service.workspace)
            post_labels(service, answers, n_labels - 1)
            seconds, bare = [], []
            for _ in range(posts):
                seconds.append(time_one_label(service, answers))
                bare.append(time_bare_fit(service.workspace))
            view = service.workspace.catalog.view
            return {
                "bench": "retrain",
                "items": len(view.ids),
                "labels": int(view.labelled.sum()),
                "posts": posts,
                "median_seconds": round(statistics.median(seconds), 4),
                "max_seconds": round(max(seconds), 4),
                "bare_fit_seconds": round(statistics.median(bare), 4),
                "ratio": round(statistics.median(seconds) / statistics.median(bare), 3),
            }


def digits_config(folder: Path) -> Config:
    return Config.model_validate(
        {
            "name": "digits",
            "task": {"title": "Benchmark"},
            "dataset": {"directory": folder / "digits", "judgements_file": folder / "out" / "labels.csv"},
            "label": {"classes": [str(digit) for digit in range(10)]},
            "model": {"weights": "builtin", "image_size": 128},
        }
    )


@contextmanager
def running_service(config: Config) -> Iterator[Service]:
    """The whole service, learner thread and web server included, for as long as the block runs."""
    workspace = open_workspace(config)
    server = listen(create_app(workspace), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    workspace.start()
    thread.start()
    try:
        yield Service(workspace, f"http://127.0.0.1:{server.effective_port}")
    finally:
        server.close()
        workspace.stop()


def wait_until_encoded(workspace: Workspace) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while True:
        status = workspace.learner.status()
        if status.total and status.encoded >= status.total:
            return
        if status.error or time.monotonic() > deadline:
            raise LightBulbError(f"the items were not encoded: {status.error or 'too slow'}")
        time.sleep(0.1)


def post_labels(service: Service, answers: Mapping[str, str], count: int) -> None:
    """Answers `count` questions and waits for the model that knows them all."""
    done = 0
    while done < count:
        questions = ask(service, min(50, count - done))
        revision = post(service, questions, answers)
        done += len(questions)
    wait_for(service.workspace, revision)


def time_one_label(service: Service, answers: Mapping[str, str]) -> float:
    questions = ask(service, 1)
    started = time.perf_counter()
    revision = post(service, questions, answers)
    wait_for(service.workspace, revision)
    return time.perf_counter() - started


def ask(service: Service, count: int) -> list[dict[str, Any]]:
    response = requests.get(f"{service.base}/api/questions", params={"n": count}, timeout=30)
    response.raise_for_status()
    return list(response.json()["questions"])


def post(service: Service, questions: list[dict[str, Any]], answers: Mapping[str, str]) -> int:
    """Posts the true labels; returns the catalog's revision that has them."""
    body = {"labels": [{"item": one["item"], "label": answers[one["name"]]} for one in questions]}
    requests.post(f"{service.base}/api/labels", json=body, timeout=30).raise_for_status()
    return service.workspace.catalog.view.revision


def wait_for(workspace: Workspace, revision: int) -> None:
    found = workspace.learner.wait_for(
        lambda snapshot: snapshot.labels_revision >= revision, PUBLISH_TIMEOUT_SECONDS
    )
    if found is None:
        raise LightBulbError(f"no snapshot came: {workspace.learner.status().error or 'too slow'}")


def time_bare_fit(workspace: Workspace) -> float:
    """One decoder, fitted to the embeddings the last snapshot was fitted to."""
    encoder = workspace.encoder.get()
    cache = EmbeddingCache(workspace.config.embeddings_directory, encoder.fingerprint, encoder.dim)
    view = workspace.catalog.view
    contents = [str(item.content) for item in workspace.items.all()]
    embeddings = cache.read(cache.rows(contents)).astype(np.float32)
    train = view.labelled & ~view.held_out
    x, targets, pool = embeddings[train], view.labels[train], PoolStatistics.of(embeddings)
    decoder = DECODERS[workspace.config.model.decoder]
    started = time.perf_counter()
    decoder.fit(x, targets, len(workspace.config.classes), pool, np.random.default_rng(0))
    return time.perf_counter() - started


def show(result: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo("\n".join(f"{key:>18}  {value}" for key, value in result.items()))
