"""Micro-batching: everyone gets their own rows, whoever else is in the batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.errors import NotReady, UnreadableImage
from lightbulb.records import Float16s
from lightbulb.services.assemble import Workspace
from lightbulb.services.batching import Batching, equal_shares
from lightbulb.services.production import open_production

POISON = -1
WAIT_SECONDS = 60.0


class Recorder(Encoder):
    """Numbers → (number, number of this encoder). Notes every batch, and waits for `gate` in each."""

    name: ClassVar[str] = "recorder"
    data_type: ClassVar[str] = "numbers"
    dim = 2
    side_by_side = 8

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    @classmethod
    def load(cls, config: Config) -> Recorder:
        raise NotImplementedError

    def prepare(self, data: bytes) -> object:
        raise NotImplementedError

    def encode(self, inputs: Sequence[object]) -> Float16s:
        numbers = [int(str(one)) for one in inputs]
        self.batches.append(numbers)
        assert self.gate.wait(WAIT_SECONDS)
        if POISON in numbers:
            raise ValueError(f"poison among {len(numbers)}")
        return np.array([[one, self.number] for one in numbers], dtype=np.float16)


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
    encoder: Recorder,
    requests: Sequence[tuple[Recorder, list[int]]],
) -> list[Future[Float16s]]:
    """Requests that wait in this order while every core is busy with a 0, and are then let go."""
    encoder.gate.clear()
    busy = min(batching._cores, encoder.side_by_side)
    futures = []
    for number in range(busy):
        futures.append(pool.submit(batching.encode, encoder, [0]))
        until(lambda seen=number: len(encoder.batches) > seen)  # type: ignore[misc]
    for one, numbers in requests:
        before = len(batching._waiting)
        futures.append(pool.submit(batching.encode, one, numbers))
        until(lambda seen=before: len(batching._waiting) > seen)  # type: ignore[misc]
    encoder.gate.set()
    return futures[busy:]


def rows(future: Future[Float16s]) -> list[int]:
    return future.result(WAIT_SECONDS)[:, 0].astype(int).tolist()


def test_what_waits_is_encoded_together_each_with_their_rows(
    batching: Batching, pool: ThreadPoolExecutor
) -> None:
    encoder = Recorder()
    futures = queue_up(batching, pool, encoder, [(encoder, [1, 2]), (encoder, [3]), (encoder, [4, 5])])
    assert [rows(future) for future in futures] == [[1, 2], [3], [4, 5]]
    assert encoder.batches == [[0], [1, 2, 3, 4, 5]]


def test_a_large_request_leaves_room_for_small_ones(batching: Batching, pool: ThreadPoolExecutor) -> None:
    encoder = Recorder()
    large = list(range(100, 120))
    futures = queue_up(batching, pool, encoder, [(encoder, large), (encoder, [1]), (encoder, [2])])
    assert [rows(future) for future in futures] == [large, [1], [2]]
    assert encoder.batches[1] == [*range(100, 106), 1, 2]
    assert max(map(len, encoder.batches)) <= 8


@pytest.mark.parametrize("cores", [1, 3])
def test_more_requests_than_fit(cores: int, pool: ThreadPoolExecutor) -> None:
    encoder, batching = Recorder(), Batching(most=8, cores=cores)
    futures = queue_up(batching, pool, encoder, [(encoder, [number, -5]) for number in range(1, 21)])
    assert [rows(future) for future in futures] == [[number, -5] for number in range(1, 21)]
    batching.stop()


def test_cores_that_are_free_share_what_waits(pool: ThreadPoolExecutor) -> None:
    encoder, batching = Recorder(), Batching(most=8, cores=3)
    encoder.gate.clear()
    large = pool.submit(batching.encode, encoder, list(range(10)))
    until(lambda: len(encoder.batches) == 3)
    late = pool.submit(batching.encode, encoder, [20, 21])
    until(lambda: len(batching._waiting) == 1)
    assert sorted(map(len, encoder.batches)) == [3, 3, 4]
    encoder.gate.set()
    assert rows(large) == list(range(10)) and rows(late) == [20, 21]
    batching.stop()


def test_an_encoder_that_uses_all_cores_itself_gets_one_batch_at_a_time(pool: ThreadPoolExecutor) -> None:
    encoder, batching = Recorder(), Batching(most=8, cores=3)
    encoder.side_by_side = 1
    futures = queue_up(batching, pool, encoder, [(encoder, [1, 2, 3]), (encoder, [4])])
    assert [rows(future) for future in futures] == [[1, 2, 3], [4]]
    assert encoder.batches == [[0], [1, 2, 3, 4]]
    batching.stop()


def test_an_encoder_that_loses_rows_is_an_error() -> None:
    class Forgetful(Recorder):
        def encode(self, inputs: Sequence[object]) -> Float16s:
            return super().encode(inputs)[:1]

    def ask() -> None:
        try:
            batching.encode(Forgetful(), [1, 2, 3, 4, 5])
        except ValueError as error:
            errors.append(str(error))

    batching, errors = Batching(most=8, cores=2), list[str]()
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(WAIT_SECONDS)
    assert [error for error in errors if "inputs gave rows (1, 2)" in error]
    batching.stop()


def test_each_encoder_has_its_own_batches(batching: Batching, pool: ThreadPoolExecutor) -> None:
    old, new = Recorder(1), Recorder(2)
    futures = queue_up(batching, pool, old, [(old, [1]), (new, [2]), (old, [3])])
    assert [future.result(WAIT_SECONDS).tolist() for future in futures] == [[[1, 1]], [[2, 2]], [[3, 1]]]
    assert old.batches == [[0], [1, 3]] and new.batches == [[2]]


def test_an_error_reaches_the_request_that_caused_it_alone(
    batching: Batching, pool: ThreadPoolExecutor
) -> None:
    encoder = Recorder()
    futures = queue_up(batching, pool, encoder, [(encoder, [1]), (encoder, [2, POISON]), (encoder, [3])])
    assert rows(futures[0]) == [1] and rows(futures[2]) == [3]
    with pytest.raises(ValueError, match="poison among 2"):
        futures[1].result(WAIT_SECONDS)
    assert batching.encode(encoder, [4]).tolist() == [[4, 0]]  # the thread lives on


def test_an_error_ends_a_request_that_is_larger_than_a_batch(batching: Batching) -> None:
    encoder = Recorder()
    with pytest.raises(ValueError, match="poison"):
        batching.encode(encoder, [*range(1, 9), POISON, *range(9, 30)])
    assert encoder.batches == [list(range(1, 9)), [POISON, *range(9, 16)]]


def test_stopping_refuses_what_waits_and_what_comes(batching: Batching, pool: ThreadPoolExecutor) -> None:
    encoder = Recorder()
    encoder.gate.clear()
    running = pool.submit(batching.encode, encoder, [0])
    until(lambda: len(encoder.batches) == 1)
    waiting = pool.submit(batching.encode, encoder, [1])
    until(lambda: len(batching._waiting) == 1)
    stopped = pool.submit(batching.stop)
    until(lambda: batching._stopping)
    encoder.gate.set()
    stopped.result(WAIT_SECONDS)
    assert rows(running) == [0]
    for refused in (waiting, pool.submit(batching.encode, encoder, [2])):
        with pytest.raises(NotReady, match="stopping"):
            refused.result(WAIT_SECONDS)
    assert encoder.batches == [[0]]


def test_nothing_in_nothing_out_and_a_stop_before_the_start() -> None:
    batching = Batching()
    assert batching.encode(Recorder(), []).shape == (0, 2)
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


def test_production_refuses_once_stopped(trained: Workspace) -> None:
    data = next(trained.config.dataset.directory.iterdir()).read_bytes()
    empty = trained.config.dataset.model_copy(update={"directory": Path("/nowhere")})
    production = open_production(trained.config.model_copy(update={"dataset": empty}))
    assert len(production.scoring.score_bytes([data]).scores) == 1
    production.stop()
    with pytest.raises(NotReady, match="stopping"):
        production.scoring.score_bytes([data])
