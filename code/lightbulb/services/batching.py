"""Many requests, one forward: inputs that wait at the same time are encoded together.

One thread takes whatever waits, up to `most` inputs, and encodes it; what comes meanwhile is the next
batch. It never waits for a batch to fill, and an image that comes alone is encoded in its request's own
thread. Where more waits than fits, each request gets an equal share: one of 64 images does not hold up one of
a single image.

Each core takes a part of the batch through the whole network. Cores that share every single layer wait for
each other after it, dozens of times; and while requests are decoded and parsed beside, one is always late.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from lightbulb.encoders import Encoder
from lightbulb.errors import NotReady
from lightbulb.records import Float16s, Ints
from lightbulb.torch_setup import CORES, keep_to_one_thread, torch_threads

MOST = 32  # inputs in a forward; more of them take no less time each
STOP_SECONDS = 15.0


@dataclass(eq=False)
class _Request:
    """inputs: as `Encoder.prepare` made them. encoded: the embeddings of the first of them, in pieces."""

    encoder: Encoder
    inputs: Sequence[object]
    encoded: list[Float16s] = field(default_factory=list)
    answer: Future[Float16s] = field(default_factory=Future)

    @property
    def done(self) -> int:
        return sum(map(len, self.encoded))

    @property
    def left(self) -> int:
        return len(self.inputs) - self.done


@dataclass(frozen=True)
class _Part:
    """What a batch holds of a request: its next inputs."""

    request: _Request
    inputs: Sequence[object]


class Batching:
    """most: inputs in one forward. cores: that work on it. The threads start with the first request."""

    def __init__(self, most: int = MOST, cores: int | None = None) -> None:
        self._most = most
        self._cores = cores or CORES
        self._forwards = ThreadPoolExecutor(self._cores, "forward", initializer=keep_to_one_thread)
        self._waiting: list[_Request] = []  # oldest first; a request stays until it is answered
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._alone = False  # whether a request is being encoded in its own thread

    def encode(self, encoder: Encoder, inputs: Sequence[object]) -> Float16s:
        """Prepared inputs → embeddings, float16 (n, dim), in their order. Waits for its turn.

        Raises: what `encoder.encode` raises for these inputs; NotReady (`stopping`) once `stop` was called.
        """
        if not inputs:
            return np.empty((0, encoder.dim), dtype=np.float16)
        if len(inputs) == 1 and self._begin_alone():
            try:
                return self._encode_all(encoder, inputs)
            finally:
                self._end_alone()
        request = _Request(encoder, inputs)
        with self._changed:
            if self._stopping:
                raise _stopping()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="batching", daemon=True)
                self._thread.start()
            self._waiting.append(request)
            self._changed.notify()
        return request.answer.result()

    def stop(self) -> None:
        """Ends the thread after the batch in hand; requests that still wait are refused."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _begin_alone(self) -> bool:
        """Whether nothing else is to be encoded: handing one image to another thread would only cost time."""
        with self._changed:
            if self._stopping or self._alone or self._waiting:
                return False
            self._alone = True
            return True

    def _end_alone(self) -> None:
        with self._changed:
            self._alone = False
            self._changed.notify()

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while parts := self._next_batch():
                self._encode(parts)
        finally:  # whatever ended the thread, nobody may wait for it any longer
            self._forwards.shutdown()
            with self._changed:
                self._stopping = True
                for request in self._waiting:
                    request.answer.set_exception(_stopping())
                self._waiting.clear()

    def _next_batch(self) -> list[_Part]:
        """Waits until there is something to encode. Empty when it is time to stop."""
        with self._changed:
            self._changed.wait_for(lambda: (self._waiting and not self._alone) or self._stopping)
            return [] if self._stopping else fill_batch(self._waiting, self._most)

    def _encode(self, parts: Sequence[_Part]) -> None:
        try:
            inputs = [one for part in parts for one in part.inputs]
            embeddings = self._encode_all(parts[0].request.encoder, inputs)
        except Exception as error:
            if len(parts) == 1:
                self._fail(parts[0].request, error)
                return
            for part in parts:  # one by one, so that only those learn of an error who caused it
                self._encode([part])
            return
        start = 0
        for part in parts:
            self._add(part.request, embeddings[start : start + len(part.inputs)])
            start += len(part.inputs)

    def _encode_all(self, encoder: Encoder, inputs: Sequence[object]) -> Float16s:
        """float16 (n, dim)"""
        if len(inputs) == 1:
            with torch_threads(min(encoder.threads, self._cores)):
                return encoder.encode(inputs)

        def encode_slice(rows: Ints) -> Float16s:
            return encoder.encode([inputs[row] for row in rows])

        slices = np.array_split(np.arange(len(inputs)), min(self._cores, len(inputs)))
        return np.concatenate(list(self._forwards.map(encode_slice, slices)))

    def _add(self, request: _Request, embeddings: Float16s) -> None:
        request.encoded.append(embeddings)
        if not request.left:
            self._forget(request)
            request.answer.set_result(np.concatenate(request.encoded))

    def _fail(self, request: _Request, error: Exception) -> None:
        self._forget(request)
        request.answer.set_exception(error)

    def _forget(self, request: _Request) -> None:
        with self._changed:
            self._waiting.remove(request)


def fill_batch(waiting: Sequence[_Request], most: int) -> list[_Part]:
    """The next batch: of the oldest request's encoder, with an equal share for each that waits for it."""
    encoder = waiting[0].encoder
    group = [request for request in waiting if request.encoder is encoder][:most]
    shares = equal_shares([request.left for request in group], most)
    return [
        _Part(request, request.inputs[request.done : request.done + share])
        for request, share in zip(group, shares, strict=True)
    ]


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
