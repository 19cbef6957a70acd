"""How cost grows with the pool: the real services on made-up embeddings of up to a million items."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.errors import InputError, LightBulbError
from lightbulb.items.folder import FoundFile
from lightbulb.measuring.simulate import quietly
from lightbulb.records import Answer, Float16s, Question
from lightbulb.services import reporting
from lightbulb.services.assemble import Source, Workspace, open_workspace
from lightbulb.services.browsing import ItemFilter
from lightbulb.store.database import Database, now
from lightbulb.store.embeddings import HASH_BYTES, EmbeddingCache
from lightbulb.store.items import Holdout, ItemStore
from lightbulb.store.schema import items as items_table

CLASSES = tuple(f"class {number}" for number in range(10))
GROUPS = 4  # per class
MOST_BLENDED = 0.6  # how much of another group an item may have in it
CHUNK = 10_000
FEWEST_ITEMS = 1000
LABELS = 200  # given before anything is timed, but for the start
AT_ONCE = 10  # questions a page asks for
EARLY = 3  # requests while the default strategy still looks for typical items
PUBLISH_TIMEOUT_SECONDS = 300.0
REPEATS = 5


class MadeUp(Encoder):
    """Stands for the encoder whose embeddings are in the cache already. It encodes nothing."""

    name: ClassVar[str] = "made_up"
    data_type: ClassVar[str] = "images"
    weights_name = "none"
    image_size = 0  # it sees nothing

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.fingerprint = f"made-up-{dim}"

    @classmethod
    def load(cls, config: Config) -> MadeUp:
        return cls(int(str(config.model.weights)))

    def prepare(self, data: bytes) -> object:
        raise NotImplementedError("all of its embeddings are cached")

    def encode(self, inputs: Sequence[object]) -> Float16s:
        raise NotImplementedError("all of its embeddings are cached")


@dataclass(frozen=True)
class MadeUpPool:
    """`items` items of `dim` numbers each, below `folder`; one picture stands for all of their files."""

    folder: Path
    items: int
    dim: int

    @property
    def picture(self) -> Path:
        return self.folder / "pool" / "picture.png"

    def key(self, index: int) -> str:
        return f"{index // 1000:04d}/{index:07d}.png"

    def label(self, key: str) -> str:
        return CLASSES[self.class_of(int(key[-11:-4]))]

    def class_of(self, index: int) -> int:
        """Neighbouring numbers are of unlike classes, and a class's share is a tenth (Knuth's hash)."""
        return (index * 2654435761 % 2**32) * len(CLASSES) >> 32

    def scan(self) -> Iterator[FoundFile]:
        status = self.picture.stat()
        return (FoundFile(self.key(index), status.st_size, status.st_mtime_ns) for index in range(self.items))

    def source(self) -> Source:
        return Source(self.scan, lambda key: self.picture, lambda name: MadeUp)

    def config(self) -> Config:
        return Config.model_validate(
            {
                "name": "scale",
                "task": {"title": "Benchmark"},
                "dataset": {
                    "directory": self.folder / "pool",
                    "judgements_file": self.folder / "out" / "labels.csv",
                },
                "label": {"classes": CLASSES},
                "model": {"weights": str(self.dim)},
            }
        )


# --- making the pool -------------------------------------------------------------------------------


def make(pool: MadeUpPool, rng: np.random.Generator) -> None:
    """Database, embeddings and the one picture; as if all had been scanned and encoded before."""
    pool.picture.parent.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(pool.picture)
    config = pool.config()
    encoder = MadeUp.load(config)
    cache = EmbeddingCache(config.embeddings_directory, encoder.fingerprint, encoder.dim)
    learning = config.learning
    holdout = Holdout(learning.holdout_fraction, learning.holdout_max, learning.seed)
    centres = rng.gamma(1.0, 0.5, (len(CLASSES) * GROUPS, pool.dim)).astype(np.float32)
    database = Database(config.database_url)
    try:
        for start in range(0, pool.items, CHUNK):
            numbers = range(start, min(start + CHUNK, pool.items))
            contents = [rng.bytes(HASH_BYTES).hex() for _ in numbers]
            cache.append(contents, made_up_embeddings(pool, numbers, centres, rng))
            add_items(database, pool, numbers, contents, holdout)
        changes = ItemStore(database).sync(pool.scan(), holdout)  # draws the held-out items
    finally:
        database.close()
    if changes.added or changes.vanished or changes.changed:
        raise LightBulbError(f"the made-up pool is not as its scan finds it: {changes}")


def made_up_embeddings(
    pool: MadeUpPool, numbers: range, centres: np.ndarray, rng: np.random.Generator
) -> Float16s:
    """Non-negative features in groups, as pooled activations are; some items lie between two groups.

    centres: float32 (n_groups, dim), GROUPS of each class. Returns float16 (len(numbers), dim).
    """
    n = len(numbers)
    classes = np.array([pool.class_of(number) for number in numbers])
    own, other = classes * GROUPS + rng.integers(0, GROUPS, n), rng.integers(0, len(centres), n)
    blend = (MOST_BLENDED * rng.random((n, 1))).astype(np.float32)
    features = (1 - blend) * centres[own] + blend * centres[other]
    return (features * rng.random(features.shape, dtype=np.float32)).astype(np.float16)


def add_items(
    database: Database, pool: MadeUpPool, numbers: range, contents: Sequence[str], holdout: Holdout
) -> None:
    status, added_at = pool.picture.stat(), now()
    rows = [
        {
            "key": key, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "content": content,
            "broken": None, "draw": holdout.draw(key), "held_out": False, "added_at": added_at,
        }
        for key, content in zip(map(pool.key, numbers), contents, strict=True)
    ]  # fmt: skip
    with database.write() as connection:
        connection.execute(items_table.insert(), rows)


# --- measuring -------------------------------------------------------------------------------------


def bench_scale(
    sizes: Sequence[int], dim: int, *, posts: int, requests: int, folder: Path | None = None
) -> dict[str, Any]:
    """One row per size, each measured in a process of its own, so that its memory is its own.

    posts: labels whose way to a snapshot is timed. requests: for questions, timed while it trains.
    folder: where to make the pools; the system's temporary one by default.
    Raises: InputError for a pool that is too small.
    """
    if min(sizes) < FEWEST_ITEMS:
        raise InputError(f"--items {min(sizes)}: needs at least {FEWEST_ITEMS}")
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="lightbulb-bench-", dir=folder) as made:
            pool = MadeUpPool(Path(made), size, dim)
            make(pool, np.random.default_rng(0))
            spawning = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawning) as fresh:
                rows.append(fresh.submit(quietly, measure, pool, posts, requests).result())
    return {"bench": "scale", "dim": dim, "labels": LABELS, "posts": posts, "rows": rows}


def measure(pool: MadeUpPool, posts: int, requests: int) -> dict[str, Any]:
    """Opens the services on the pool, labels LABELS items, and times what people wait for (seconds)."""
    started = time.perf_counter()
    workspace = open_workspace(pool.config(), source=pool.source())
    workspace.start()
    try:
        workspace.asking.next_questions(1)
        first_question = time.perf_counter() - started
        wait_until(lambda: workspace.encoded.ready, workspace)
        encoded = time.perf_counter() - started
        early = []
        for _ in range(0, LABELS, AT_ONCE):
            asking = time.perf_counter()
            questions, _ = workspace.asking.next_questions(AT_ONCE)
            early.append(time.perf_counter() - asking)
            answer(workspace, pool, questions)
        wait_for_snapshot(workspace)
        published = time_snapshots(workspace, pool, posts)
        asked = ask_while_training(workspace, pool, requests)
        wait_for_snapshot(workspace)
        return {
            "items": pool.items,
            "first_question": first_question,
            "embeddings_loaded": encoded,
            "early_questions": max(early[:EARLY]),
            **published,
            **asked,
            **time_pages(workspace),
            "memory_gb": most_memory() / 1e9,
            "accuracy": accuracy_of(workspace),
            "load": os.getloadavg()[1],
        }
    finally:
        workspace.stop()


def answer(workspace: Workspace, pool: MadeUpPool, questions: Sequence[Question]) -> None:
    workspace.labeling.save([Answer(one.item, pool.label(one.key), 1.0) for one in questions])


def time_snapshots(workspace: Workspace, pool: MadeUpPool, posts: int) -> dict[str, float]:
    """From an answer to the published snapshot that knows it."""
    waited, worked = [], []
    for _ in range(posts):
        questions, _ = workspace.asking.next_questions(1)
        started, cpu = time.perf_counter(), time.process_time()
        answer(workspace, pool, questions)
        wait_for_snapshot(workspace)
        waited.append(time.perf_counter() - started)
        worked.append(time.process_time() - cpu)
    return {"snapshot_p50": float(np.median(waited)), "snapshot_cpu_p50": float(np.median(worked))}


def ask_while_training(workspace: Workspace, pool: MadeUpPool, requests: int) -> dict[str, float]:
    """Requests for questions, and answers; the learner has new ones to learn from all along."""
    asked, worked, answered = [], [], []
    questions, _ = workspace.asking.next_questions(1)
    for _ in range(requests):
        started = time.perf_counter()
        answer(workspace, pool, questions[:1])
        answered.append(time.perf_counter() - started)
        started, cpu = time.perf_counter(), time.thread_time()
        questions, _ = workspace.asking.next_questions(AT_ONCE)
        asked.append(time.perf_counter() - started)
        worked.append(time.thread_time() - cpu)
    return {
        "questions_p50": float(np.median(asked)),
        "questions_p99": float(np.percentile(asked, 99)),
        "questions_cpu_p99": float(np.percentile(worked, 99)),
        "answer_p99": float(np.percentile(answered, 99)),
    }


def time_pages(workspace: Workspace) -> dict[str, float]:
    """Median seconds, with the learner idle."""
    middle = len(workspace.catalog.view.ids) // 2
    pages = {
        "first_page": Query("all", 0),
        "middle_page": Query("all", middle),
        "unlabelled_page": Query("unlabelled", middle),
        "search_page": Query("all", 0, "77"),
    }
    times = {name: median_seconds(functools.partial(query.page, workspace)) for name, query in pages.items()}
    clients, compared = iter(range(REPEATS)), iter(range(1, REPEATS + 1))
    return {
        **times,
        "alike_page": median_seconds(
            lambda: workspace.browsing.page(ItemFilter(like=next(compared)), 0, 100)
        ),
        "proposals": median_seconds(lambda: workspace.confirming.next_batch(client=f"{next(clients)}")),
        "status": median_seconds(lambda: reporting.status(workspace)),
    }


@dataclass(frozen=True)
class Query:
    """What the Dataset page asks for."""

    state: str
    offset: int
    text: str = ""

    def page(self, workspace: Workspace) -> object:
        wanted = ItemFilter(self.state, text=self.text)
        return workspace.browsing.page(wanted, self.offset, 100)


def median_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def wait_for_snapshot(workspace: Workspace) -> None:
    revision = workspace.catalog.view.revision
    deadline = time.monotonic() + PUBLISH_TIMEOUT_SECONDS
    while workspace.learner.wait_for(lambda snapshot: snapshot.labels_revision >= revision, 1.0) is None:
        problem = workspace.learner.status().error
        if problem or time.monotonic() > deadline:
            raise LightBulbError(f"no snapshot came: {problem or 'too slow'}")


def wait_until(condition: Callable[[], bool], workspace: Workspace) -> None:
    deadline = time.monotonic() + PUBLISH_TIMEOUT_SECONDS
    while not condition():
        if workspace.learner.status().error or time.monotonic() > deadline:
            raise LightBulbError(f"not ready: {workspace.learner.status().error or 'too slow'}")
        time.sleep(0.01)


def accuracy_of(workspace: Workspace) -> float | None:
    snapshot = workspace.learner.snapshot
    return snapshot.accuracy.value if snapshot and snapshot.accuracy else None


def most_memory() -> int:
    """The most memory that was resident in this process, in bytes; mapped embeddings are in it."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` would count what the process had before it became this program
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# --- showing ---------------------------------------------------------------------------------------


ROWS = (
    ("first_question", "start-up to the first question, s", 1),
    ("embeddings_loaded", "start-up to all embeddings known, s", 1),
    ("early_questions", "10 of the first 30 questions, the longest wait, ms", 1000),
    ("snapshot_p50", "answer → published snapshot, median, s", 1),
    ("snapshot_cpu_p50", "… of which processor time of all threads, s", 1),
    ("questions_p50", "next 10 questions while training, median, ms", 1000),
    ("questions_p99", "next 10 questions while training, p99, ms", 1000),
    ("questions_cpu_p99", "… processor time of the request, p99, ms", 1000),
    ("answer_p99", "saving an answer while training, p99, ms", 1000),
    ("proposals", "a batch of proposals, ms", 1000),
    ("first_page", "Dataset page: the first, ms", 1000),
    ("middle_page", "Dataset page: in the middle, ms", 1000),
    ("unlabelled_page", "Dataset page: unlabelled, in the middle, ms", 1000),
    ("search_page", "Dataset page: a search, ms", 1000),
    ("alike_page", "Dataset page: those most like an item, ms", 1000),
    ("status", "status, ms", 1000),
    ("memory_gb", "most resident memory, GB", 1),
    ("load", "processes that wanted a processor, 5 minutes' mean", 1),
)


def show(result: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    table = Table(title=f"The service on {result['dim']}-dimensional embeddings, {result['labels']} labels")
    table.add_column("items")
    for row in result["rows"]:
        table.add_column(f"{row['items']:,}", justify="right")
    for name, title, factor in ROWS:
        digits = 2 if factor == 1 else 0
        table.add_row(title, *(f"{row[name] * factor:,.{digits}f}" for row in result["rows"]))
    Console().print(table)
