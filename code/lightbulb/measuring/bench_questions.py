"""How long each query strategy takes over the next questions, on a large pool of made-up embeddings."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from lightbulb.decoders.normalise import PoolStatistics, normalise
from lightbulb.errors import InputError
from lightbulb.querying import Pool
from lightbulb.querying.select import select
from lightbulb.records import Float16s, Float32s, Ints
from lightbulb.services.plugins import STRATEGIES

DIM, CLASSES, GROUPS, MEMBERS = 1024, 10, 40, 4
LABELS = (0, 20, 100)  # known when the questions are asked; without any there is no model
CHUNK = 10_000
REPEATS = 3


def bench_questions(items: int, count: int) -> dict[str, Any]:
    """Median seconds for the next `count` questions, beside one pass over the embeddings.

    The embeddings lie in a file and are read through memory mapping, as the service's are.
    Raises: InputError for a pool that is too small.
    """
    if items < max(LABELS) + count:
        raise InputError(f"--items {items}: needs at least {max(LABELS) + count}")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="lightbulb-bench-") as folder:
        embeddings = made_up(Path(folder) / "vectors.f16", items, rng)
        started = time.perf_counter()
        for start in range(0, items, CHUNK):
            embeddings[start : start + CHUNK].astype(np.float32).sum()
        one_pass = time.perf_counter() - started
        statistics = PoolStatistics.of(embeddings[:CHUNK].astype(np.float32))
        pools = [pool_with(embeddings, statistics, known, rng) for known in LABELS]
        rows = []
        for name, strategy in STRATEGIES.items():
            seconds = [median_seconds(strategy(), pool, count, rng) for pool in pools]
            rows.append({"strategy": name, "seconds": dict(zip(map(str, LABELS), seconds, strict=True))})
    return {
        "bench": "questions", "items": items, "dim": DIM, "count": count,
        "one_pass_seconds": round(one_pass, 3), "strategies": rows,
    }  # fmt: skip


def made_up(path: Path, items: int, rng: np.random.Generator) -> Float16s:
    """Non-negative features in groups, as pooled activations are: float16 (items, DIM), memory-mapped."""
    centres = rng.gamma(1.0, 0.5, (GROUPS, DIM)).astype(np.float32)
    vectors = np.memmap(path, dtype=np.float16, mode="w+", shape=(items, DIM))
    for start in range(0, items, CHUNK):
        group = rng.integers(0, GROUPS, len(vectors[start : start + CHUNK]))
        noise = rng.random((len(group), DIM), dtype=np.float32)
        vectors[start : start + CHUNK] = centres[group] * noise
    return vectors


def pool_with(embeddings: Float16s, statistics: PoolStatistics, known: int, rng: np.random.Generator) -> Pool:
    """All but the first `known` rows, which are labelled."""

    def points(rows: Ints) -> Float32s:
        return normalise(embeddings[rows].astype(np.float32), statistics)

    left = np.arange(known, len(embeddings))
    votes = rng.dirichlet(np.full(CLASSES, 0.3), (MEMBERS, len(left))).astype(np.float32) if known else None
    return Pool(
        left,
        None if votes is None else votes.mean(axis=0),
        lambda rows: points(left[rows]),
        votes,
        points(np.arange(known)),
        np.arange(known) % CLASSES,
    )


def median_seconds(strategy: Any, pool: Pool, count: int, rng: np.random.Generator) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        select(strategy, pool, count, rng)
        seconds.append(time.perf_counter() - started)
    return round(float(np.median(seconds)), 3)


def show(result: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    table = Table(
        title=f"The next {result['count']} questions from {result['items']:,} items, seconds; one pass over "
        f"their embeddings takes {result['one_pass_seconds']}"
    )
    table.add_column("strategy")
    for known in LABELS:
        table.add_column(f"{known} labels", justify="right")
    for row in result["strategies"]:
        table.add_row(row["strategy"], *(f"{row['seconds'][str(known)]:.2f}" for known in LABELS))
    Console().print(table)
