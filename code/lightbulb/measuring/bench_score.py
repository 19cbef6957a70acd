"""`/score` of the real service beside the work it cannot avoid: decoding, the forward pass, the decoder.

One client in turns with the bare work; then many clients, in turns with the same photographs in batches and
no service around them. Everything else on the machine disturbs both alike. Clients run in another process.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits

from lightbulb.config import Config
from lightbulb.datasets.digits import png_of
from lightbulb.encoders import Encoder
from lightbulb.errors import LightBulbError
from lightbulb.measuring.bench import Service, digits_config, post_labels, running_service, wait_until_encoded
from lightbulb.measuring.load import Load, LoadProcess, upload_of
from lightbulb.measuring.photographs import read_images, synthetic_photographs
from lightbulb.records import Classifier, Float32s
from lightbulb.torch_setup import torch, torch_threads

FADING = 0.6  # of each octave beside the coarser one before; makes files as large as photographs'
BATCH = 32
DECODERS = 2
TURN = 5  # requests of the one client, before the bare work's turn


@dataclass(frozen=True)
class Amounts:
    """How much is measured.

    requests: of the one client. clients: that ask at the same time. each: requests of each in a round;
    rounds: of many clients and of bare batches, in turns. items: digits in the pool; labels: those that the
    model learns from. image_size: side in pixels of what the encoder sees.
    """

    requests: int = 200
    clients: int = 16
    each: int = 20
    rounds: int = 4
    items: int = 300
    labels: int = 60
    image_size: int = 224


@dataclass(frozen=True)
class Bare:
    """The work itself, through the same objects as the service's."""

    encoder: Encoder
    classifier: Classifier

    def one(self, image: bytes) -> Float32s:
        with torch_threads(self.encoder.threads):
            return self._classify([self.encoder.prepare(image)])

    def batches(self, images: Sequence[bytes]) -> float:
        """Seconds for all of them, BATCH at a time; the next batch is decoded during the forward pass."""
        started = time.perf_counter()
        with ThreadPoolExecutor(DECODERS) as pool:
            inputs = [pool.submit(self.encoder.prepare, image) for image in images]
            for start in range(0, len(inputs), BATCH):
                self._classify([one.result() for one in inputs[start : start + BATCH]])
        return time.perf_counter() - started

    def _classify(self, inputs: Sequence[object]) -> Float32s:
        return self.classifier.probabilities(self.encoder.encode(inputs).astype(np.float32))


def bench_score(amounts: Amounts, folder: Path | None = None) -> dict[str, Any]:
    """folder: of images to upload; synthetic photographs by default. Raises: InputError, LightBulbError."""
    images = read_images(folder) if folder else synthetic_photographs(np.random.default_rng(0))
    with tempfile.TemporaryDirectory(prefix="lightbulb-bench-") as scratch:
        answers = make_pool(Path(scratch), amounts.items)
        with running_service(score_config(Path(scratch), amounts)) as service:
            wait_until_encoded(service.workspace)
            post_labels(service, answers, amounts.labels)
            bare = bare_of(service)
            port = int(service.base.rpartition(":")[2])
            return {
                "bench": "score",
                "encoder": bare.encoder.name,
                "image_size": amounts.image_size,
                "images": len(images),
                "median_bytes": int(statistics.median(map(len, images))),
                "cores": os.cpu_count(),
                "torch_threads": torch.get_num_threads(),
                "one_client": measure_one(port, images, bare, amounts.requests),
                "many_clients": measure_many(port, images, bare, amounts),
            }


def make_pool(folder: Path, items: int) -> dict[str, str]:
    """Writes the first digits into a folder; returns the truth by name."""
    scans, labels = load_digits(return_X_y=True)
    truth = {f"{index:04}.png": str(label) for index, label in enumerate(labels[:items])}
    (folder / "digits").mkdir()
    for name, scan in zip(truth, scans.reshape(-1, 8, 8), strict=False):
        (folder / "digits" / name).write_bytes(png_of(scan))
    return truth


def score_config(folder: Path, amounts: Amounts) -> Config:
    config = digits_config(folder)
    model = config.model.model_copy(update={"image_size": amounts.image_size})
    return config.model_copy(update={"model": model})


def bare_of(service: Service) -> Bare:
    snapshot = service.workspace.learner.snapshot
    if snapshot is None:
        raise LightBulbError("there is no model to measure")
    return Bare(service.workspace.encoder.get(), snapshot.classifier)


def measure_one(port: int, images: Sequence[bytes], bare: Bare, requests: int) -> dict[str, Any]:
    """A few uploads, one after the other, in turns with the bare work on the same images."""
    served: list[float] = []
    alone: list[float] = []
    uploads = [upload_of(image) for image in images]
    with LoadProcess() as process:
        while len(served) < requests:
            each = min(TURN, requests - len(served))
            chosen = [(len(served) + index) % len(images) for index in range(1 + each)]
            load = process.run(port, [uploads[at] for at in chosen], 1, each)
            seconds = [seconds_of(lambda at=at: bare.one(images[at])) for at in chosen]  # type: ignore[misc]
            served.extend(load.seconds)
            alone.extend(seconds[1:])  # the first warms up, as that of the load does
    return {
        "requests": requests,
        **percentiles(served),
        **{f"bare_{key}": value for key, value in percentiles(alone).items()},
        "ratio": round(statistics.median(served) / statistics.median(alone), 3),
    }


def measure_many(port: int, images: Sequence[bytes], bare: Bare, amounts: Amounts) -> dict[str, Any]:
    """Many clients and bare batches in turns; rates over all rounds together."""
    per_round = amounts.clients * amounts.each
    chosen = [images[index % len(images)] for index in range(per_round)]
    uploads = [upload_of(image) for image in images]
    loads: list[Load] = []
    alone = 0.0
    bare.batches(chosen[:BATCH])
    with LoadProcess() as process:
        for _ in range(amounts.rounds):
            loads.append(process.run(port, uploads, amounts.clients, amounts.each))
            alone += bare.batches(chosen)
    requests = amounts.rounds * per_round
    rate = requests / sum(load.wall_seconds for load in loads)
    return {
        "clients": amounts.clients,
        "requests": requests,
        "images_per_second": round(rate, 1),
        **percentiles([one for load in loads for one in load.seconds]),
        "bare_images_per_second": round(requests / alone, 1),
        "ratio": round(rate * alone / requests, 3),
    }


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}


def show(result: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    one, many = result["one_client"], result["many_clients"]
    table = Table(
        title=f"/score, {result['encoder']} at {result['image_size']} pixels, {result['cores']} cores, "
        f"images of {result['median_bytes'] / 1000:.0f} kB"
    )
    for heading in ("", "p50", "p99", "images/s", "ratio to bare"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("1 client", _ms(one["p50_ms"]), _ms(one["p99_ms"]), "", f"{one['ratio']:.2f} (of p50)")
    table.add_row("bare, one image", _ms(one["bare_p50_ms"]), _ms(one["bare_p99_ms"]), "", "")
    table.add_row(
        f"{many['clients']} clients", _ms(many["p50_ms"]), _ms(many["p99_ms"]),
        f"{many['images_per_second']:.0f}", f"{many['ratio']:.2f} (of images/s)",
    )  # fmt: skip
    table.add_row(f"bare, batches of {BATCH}", "", "", f"{many['bare_images_per_second']:.0f}", "")
    Console().print(table)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms"
