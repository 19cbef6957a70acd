"""Micro-batching: everyone gets their own rows, whoever else is in the batch."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.errors import NotReady, UnreadableImage
from lightbulb.services.assemble import Workspace
from lightbulb.services.batching import Batching, equal_shares
from lightbulb.services.fetching import make_fetcher
from lightbulb.services.production import open_production
from lightbulb.services.scoring import Scoring
from lightbulb.torch_setup import CORES

POISON = -1
WAIT_SECONDS = 60.0


class Recorder:
    """Numbers → (number, number of this model). Notes every batch, and waits for `gate` in each."""

    batch = 32
    threads = 1
    side_by_side = 8

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, inputs: Sequence[int]) -> list[tuple[int, int]]:
        numbers = list(inputs)
        self.batches.append(numbers)
        assert self.gate.wait(WAIT_SECONDS)
        if POISON in numbers:
            raise ValueError(f"poison among {len(numbers)}")
        return [(one, self.number) for one in numbers]


@pytest.fixture
def batching() -> Iterator[Batching]:
    made = Batching(most=8, cores=1)
    yield made
    made.stop()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as made:
        yield made


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def queue_up(
    batching: Batching,
    pool: ThreadPoolExecutor,
    model: Recorder,
    requests: Sequence[tuple[Recorder, list[int]]],
) -> list[Future[list[Any]]]:
    """Requests that wait in this order while every core is busy with a 0, and are then let go."""
    model.gate.clear()
    busy = min(batching._cores, model.side_by_side)
    futures = []
    for number in range(busy):
        futures.append(pool.submit(batching.run, model, [0]))
        until(lambda seen=number: len(model.batches) > seen)  # type: ignore[misc]
    for one, numbers in requests:
        before = len(batching._waiting)
        futures.append(pool.submit(batching.run, one, numbers))
        until(lambda seen=before: len(batching._waiting) > seen)  # type: ignore[misc]
    model.gate.set()
    return futures[busy:]


def rows(future: Future[list[Any]]) -> list[int]:
    return [number for number, _ in future.result(WAIT_SECONDS)]


def test_what_waits_goes_through_together_each_with_their_rows(
    batching: Batching, pool: ThreadPoolExecutor
) -> None:
    model = Recorder()
    futures = queue_up(batching, pool, model, [(model, [1, 2]), (model, [3]), (model, [4, 5])])
    assert [rows(future) for future in futures] == [[1, 2], [3], [4, 5]]
    assert model.batches == [[0], [1, 2, 3, 4, 5]]


def test_a_large_request_leaves_room_for_small_ones(batching: Batching, pool: ThreadPoolExecutor) -> None:
    model = Recorder()
    large = list(range(100, 120))
    futures = queue_up(batching, pool, model, [(model, large), (model, [1]), (model, [2])])
    assert [rows(future) for future in futures] == [large, [1], [2]]
    assert model.batches[1] == [*range(100, 106), 1, 2]
    assert max(map(len, model.batches)) <= 8


@pytest.mark.parametrize("cores", [1, 3])
def test_more_requests_than_fit(cores: int, pool: ThreadPoolExecutor) -> None:
    model, batching = Recorder(), Batching(most=8, cores=cores)
    futures = queue_up(batching, pool, model, [(model, [number, -5]) for number in range(1, 21)])
    assert [rows(future) for future in futures] == [[number, -5] for number in range(1, 21)]
    batching.stop()


def test_cores_that_are_free_share_what_waits(pool: ThreadPoolExecutor) -> None:
    model, batching = Recorder(), Batching(most=8, cores=3)
    model.gate.clear()
    large = pool.submit(batching.run, model, list(range(10)))
    until(lambda: len(model.batches) == 3)
    late = pool.submit(batching.run, model, [20, 21])
    until(lambda: len(batching._waiting) == 1)
    assert sorted(map(len, model.batches)) == [3, 3, 4]
    model.gate.set()
    assert rows(large) == list(range(10)) and rows(late) == [20, 21]
    batching.stop()


def test_a_model_that_uses_all_cores_itself_gets_one_batch_at_a_time(pool: ThreadPoolExecutor) -> None:
    model, batching = Recorder(), Batching(most=8, cores=3)
    model.side_by_side = 1
    futures = queue_up(batching, pool, model, [(model, [1, 2, 3]), (model, [4])])
    assert [rows(future) for future in futures] == [[1, 2, 3], [4]]
    assert model.batches == [[0], [1, 2, 3, 4]]
    batching.stop()


def test_a_model_that_loses_rows_is_an_error() -> None:
    class Forgetful(Recorder):
        def run(self, inputs: Sequence[int]) -> list[tuple[int, int]]:
            return super().run(inputs)[:1]

    def ask() -> None:
        try:
            batching.run(Forgetful(), [1, 2, 3, 4, 5])
        except ValueError as error:
            errors.append(str(error))

    batching, errors = Batching(most=8, cores=2), list[str]()
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(WAIT_SECONDS)
    assert [error for error in errors if "inputs gave 1 results" in error]
    batching.stop()


def test_each_model_has_its_own_batches(batching: Batching, pool: ThreadPoolExecutor) -> None:
    old, new = Recorder(1), Recorder(2)
    futures = queue_up(batching, pool, old, [(old, [1]), (new, [2]), (old, [3])])
    assert [future.result(WAIT_SECONDS) for future in futures] == [[(1, 1)], [(2, 2)], [(3, 1)]]
    assert old.batches == [[0], [1, 3]] and new.batches == [[2]]


def test_an_error_reaches_the_request_that_caused_it_alone(
    batching: Batching, pool: ThreadPoolExecutor
) -> None:
    model = Recorder()
    futures = queue_up(batching, pool, model, [(model, [1]), (model, [2, POISON]), (model, [3])])
    assert rows(futures[0]) == [1] and rows(futures[2]) == [3]
    with pytest.raises(ValueError, match="poison among 2"):
        futures[1].result(WAIT_SECONDS)
    assert batching.run(model, [4]) == [(4, 0)]  # the thread lives on


def test_an_error_ends_a_request_that_is_larger_than_a_batch(batching: Batching) -> None:
    model = Recorder()
    with pytest.raises(ValueError, match="poison"):
        batching.run(model, [*range(1, 9), POISON, *range(9, 30)])
    assert model.batches == [list(range(1, 9)), [POISON, *range(9, 16)]]


def test_stopping_refuses_what_waits_and_what_comes(batching: Batching, pool: ThreadPoolExecutor) -> None:
    model = Recorder()
    model.gate.clear()
    running = pool.submit(batching.run, model, [0])
    until(lambda: len(model.batches) == 1)
    waiting = pool.submit(batching.run, model, [1])
    until(lambda: len(batching._waiting) == 1)
    stopped = pool.submit(batching.stop)
    until(lambda: batching._stopping)
    model.gate.set()
    stopped.result(WAIT_SECONDS)
    assert rows(running) == [0]
    for refused in (waiting, pool.submit(batching.run, model, [2])):
        with pytest.raises(NotReady, match="stopping"):
            refused.result(WAIT_SECONDS)
    assert model.batches == [[0]]


class Image:
    """Something large."""


class Counter(Recorder):
    def run(self, inputs: Sequence[Any]) -> list[Any]:
        return [0 for _ in inputs]


def test_a_thread_that_waits_keeps_nothing_of_the_last_batch(batching: Batching) -> None:
    model, images = Counter(), [Image(), Image()]
    kept = [weakref.ref(one) for one in (model, *images)]
    assert batching.run(model, images) == [0, 0]
    del model, images
    until(lambda: all(one() is None for one in kept))


def test_nothing_in_nothing_out_and_a_stop_before_the_start() -> None:
    batching = Batching()
    assert batching.run(Recorder(), []) == []
    batching.stop()


@given(st.lists(st.integers(1, 70), min_size=1, max_size=32))
def test_shares_are_equal_and_use_the_room(wanted: list[int]) -> None:
    shares = equal_shares(wanted, 32)
    assert sum(shares) == min(32, sum(wanted))
    for share, want in zip(shares, wanted, strict=True):
        assert 1 <= share <= want
        assert share == want or share >= max(shares) - 1  # nobody gets less so that another gets more


def test_scores_of_many_threads_equal_those_of_each_alone(trained: Workspace) -> None:
    files = [path.read_bytes() for path in sorted(trained.config.dataset.directory.iterdir())[:48]]
    groups = [files[start : start + 3] for start in range(0, 48, 3)]
    alone = [trained.scoring.score_bytes(group).scores for group in groups]
    with ThreadPoolExecutor(16) as pool:
        broken = pool.submit(trained.scoring.score_bytes, [files[0], b"no image"])
        together = list(pool.map(trained.scoring.score_bytes, groups))
        with pytest.raises(UnreadableImage, match="image 1"):
            broken.result()
    for mine, scored in zip(alone, together, strict=True):
        np.testing.assert_allclose(scored.scores, mine, atol=2e-3)


def test_a_snapshot_that_serves_no_longer_is_let_go(trained: Workspace) -> None:
    newest = trained.learner.snapshot
    serving = [replace(newest)]
    former = weakref.ref(serving[0])
    scoring = Scoring(
        lambda: serving[0], trained.learner.encoder_of, make_fetcher(trained.config), lambda: NotReady("none")
    )
    files = [path.read_bytes() for path in sorted(trained.config.dataset.directory.iterdir())[:2]]
    scoring.score_bytes(files[:1])
    scoring.score_bytes(files)
    serving[0] = newest
    until(lambda: former() is None)
    scoring.stop()


@pytest.mark.parametrize("side_by_side", [1, CORES])
def test_images_are_decoded_where_that_is_fastest(
    side_by_side: int, trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a forward at a time, as on a GPU, by the requests."""
    files = [path.read_bytes() for path in sorted(trained.config.dataset.directory.iterdir())[:6]]
    wanted = trained.scoring.score_bytes(files)
    encoder = trained.encoder.get()
    monkeypatch.setattr(encoder, "side_by_side", side_by_side)
    monkeypatch.setattr(trained.scoring, "_model", lambda: None)
    threads = set[str]()

    def prepare(data: bytes) -> object:
        threads.add(threading.current_thread().name.partition("-")[0])
        return type(encoder).prepare(encoder, data)

    monkeypatch.setattr(encoder, "prepare", prepare)
    found = trained.scoring.score_bytes(files)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=2e-3)
    assert found.embeddings.shape == (6, encoder.dim) and found.embeddings.dtype == np.float16
    assert threads == {"forward" if side_by_side == CORES else "MainThread"}
    with pytest.raises(UnreadableImage, match="image 1: ") as refused:
        trained.scoring.score_bytes([files[0], b"no image", files[1], b""])
    assert [detail["index"] for detail in refused.value.details] == [1, 3]


def test_an_encoder_that_loses_rows_is_an_error(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = trained.encoder.get()
    data = next(trained.config.dataset.directory.iterdir()).read_bytes()
    monkeypatch.setattr(encoder, "encode", lambda inputs: type(encoder).encode(encoder, inputs)[:1])
    with pytest.raises(ValueError, match="images gave embeddings"):
        trained.scoring.score_bytes([data] * 3)


def test_production_refuses_once_stopped(trained: Workspace) -> None:
    data = next(trained.config.dataset.directory.iterdir()).read_bytes()
    empty = trained.config.dataset.model_copy(update={"directory": Path("/nowhere")})
    production = open_production(trained.config.model_copy(update={"dataset": empty}))
    assert len(production.scoring.score_bytes([data]).scores) == 1
    production.stop()
    with pytest.raises(NotReady, match="stopping"):
        production.scoring.score_bytes([data])
