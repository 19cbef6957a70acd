"""Many requests, few forwards: inputs that wait at the same time go through the model together.

Each core has a thread that takes its part of whatever waits and puts it through the whole model. It never
waits for a batch to fill; what comes meanwhile is for the next thread that is free. An image that comes alone
is scored in its request's own thread. Where more waits than fits, each request gets an equal share: one of
64 images does not hold up one of a single image.

Cores that shared one batch would wait for each other after every layer or at its end, and then for the next
requests, which would come all at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from lightbulb.errors import NotReady
from lightbulb.torch_setup import CORES, keep_to_one_thread, torch_threads

STOP_SECONDS = 15.0


class Model(Protocol):
    """What inputs go through. batch, threads, side_by_side: as in `Encoder`."""

    batch: int
    threads: int
    side_by_side: int

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """A result for each input, in their order."""
        ...


@dataclass(eq=False)
class _Request:
    """inputs: as the model takes them. taken: how many of the first are in a forward or through it.

    done: results of pieces of them, by where each begins.
    """

    model: Model
    inputs: Sequence[Any]
    taken: int = 0
    done: dict[int, Sequence[Any]] = field(default_factory=dict)
    answer: Future[list[Any]] = field(default_factory=Future)

    @property
    def left(self) -> int:
        return len(self.inputs) - self.taken

    def take(self, count: int) -> _Part:
        start = self.taken
        self.taken += count
        return _Part(self, start, self.inputs[start : self.taken])


@dataclass(frozen=True)
class _Part:
    """What a batch holds of a request: the inputs from `start` on."""

    request: _Request
    start: int
    inputs: Sequence[object]


class Batching:
    """most: inputs in one forward, by default as many as the model is fastest with. cores: forwards at a
    time. The threads start with the first request that does not come alone."""

    def __init__(self, most: int | None = None, cores: int = CORES) -> None:
        self._most = most
        self._cores = cores
        self._waiting: list[_Request] = []  # with inputs left to take; oldest first
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._running = 0  # forwards
        self._stopping = False

    def run(self, model: Model, inputs: Sequence[Any]) -> list[Any]:
        """The model's result for each input, in their order. Waits for its turn.

        Raises: what `model.run` raises for these inputs; NotReady (`stopping`) once `stop` was called.
        """
        if not inputs:
            return []
        if len(inputs) == 1 and self._begin_alone():
            try:
                with torch_threads(min(model.threads, self._cores)):
                    return list(model.run(inputs))
            finally:
                self._end()
        request = _Request(model, inputs)
        with self._changed:
            if self._stopping:
                raise _stopping()
            self._start()
            self._waiting.append(request)
            self._changed.notify_all()
        return request.answer.result()

    def stop(self) -> None:
        """Ends the threads after the batches in hand; requests that still wait are refused."""
        with self._changed:
            self._stopping = True
            self._refuse()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _begin_alone(self) -> bool:
        """Whether nothing else is to be scored: handing one image to another thread would only cost time."""
        with self._changed:
            if self._stopping or self._running or self._waiting:
                return False
            self._running += 1
            return True

    def _end(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def _start(self) -> None:
        while len(self._threads) < self._cores:
            name = f"forward-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
            self._threads[-1].start()

    # --- the threads -----------------------------------------------------------------------------

    def _run(self) -> None:
        keep_to_one_thread()
        try:
            while self._score_next():
                pass
        finally:  # whatever ended the thread, nobody may wait for it any longer
            with self._changed:
                self._stopping = True
                self._refuse()

    def _score_next(self) -> bool:
        """Whether there was a batch; none when it is time to stop.

        While the thread waits, nothing may hold the last one: not its images, not its model.
        """
        parts = self._next_batch()
        if not parts:
            return False
        try:
            self._score(parts)
        finally:
            self._end()
        return True

    def _next_batch(self) -> list[_Part]:
        """Waits until there is something to score. Empty when it is time to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._free() > 0)
            if self._stopping:
                return []
            model = self._waiting[0].model
            inputs = sum(one.left for one in self._waiting if one.model is model)
            part = -(-inputs // self._free())  # as much for each core that is free
            parts = fill_batch(self._waiting, min(part, self._most or model.batch))
            self._waiting = [one for one in self._waiting if one.left]
            self._running += 1
            return parts

    def _free(self) -> int:
        """How many forwards may begin."""
        if not self._waiting:
            return 0
        return min(self._cores, self._waiting[0].model.side_by_side) - self._running

    def _score(self, parts: Sequence[_Part]) -> None:
        try:
            model, inputs = parts[0].request.model, [one for part in parts for one in part.inputs]
            results = model.run(inputs)
            if len(results) != len(inputs):  # nobody may wait for a result that never comes
                raise ValueError(f"{len(inputs)} inputs gave {len(results)} results")
        except Exception as error:
            if len(parts) == 1:
                self._fail(parts[0].request, error)
                return
            for part in parts:  # one by one, so that only those learn of an error who caused it
                self._score([part])
            return
        start = 0
        for part in parts:
            self._add(part, results[start : start + len(part.inputs)])
            start += len(part.inputs)

    def _add(self, part: _Part, results: Sequence[Any]) -> None:
        request = part.request
        with self._changed:
            request.done[part.start] = results
            whole = sum(map(len, request.done.values())) == len(request.inputs)
        if whole:  # only the thread that brought the last piece sees it so
            request.answer.set_result([one for at in sorted(request.done) for one in request.done[at]])

    def _fail(self, request: _Request, error: Exception) -> None:
        with self._changed:
            self._waiting = [one for one in self._waiting if one is not request]
            if not request.answer.done():  # another piece may have failed as well
                request.answer.set_exception(error)

    def _refuse(self) -> None:
        for request in self._waiting:
            if not request.answer.done():
                request.answer.set_exception(_stopping())
        self._waiting.clear()


def fill_batch(waiting: Sequence[_Request], most: int) -> list[_Part]:
    """Takes the next batch: of the oldest request's model, an equal share of each that waits for it."""
    model = waiting[0].model
    group = [request for request in waiting if request.model is model][:most]
    shares = equal_shares([request.left for request in group], most)
    return [request.take(share) for request, share in zip(group, shares, strict=True)]


def equal_shares(wanted: Sequence[int], room: int) -> list[int]:
    """How much each gets of `room`: no more than wanted, and what one leaves goes to those that want more.

    The shares add up to `room` unless less is wanted; each is at least 1 if `room` is enough for that.
    """
    shares = [0] * len(wanted)
    modest_first = sorted(range(len(wanted)), key=wanted.__getitem__)
    for served, index in enumerate(modest_first):
        shares[index] = min(wanted[index], room // (len(wanted) - served))
        room -= shares[index]
    return shares


def _stopping() -> NotReady:
    return NotReady("the service is stopping", code="stopping")
