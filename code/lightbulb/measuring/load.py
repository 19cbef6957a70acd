"""Clients that ask a service for scores, for a process of their own: they must not hold the server's GIL.

Plain sockets and bodies made beforehand, so that the clients take little of the cores that the server needs.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

BOUNDARY = "lightbulb-bench-0f3a9c"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Load:
    """What came of many clients. wall_seconds: from the first request to the last answer.

    seconds: of each request, in no particular order.
    """

    wall_seconds: float
    seconds: tuple[float, ...]


class Client:
    """One connection that stays open. Use as a context manager."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def score(self, body: bytes) -> dict[str, Any]:
        """Posts one upload. Raises: OSError if the service does not answer with 200."""
        self._connection.request("POST", "/score", body, HEADERS)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise OSError(f"/score answered {response.status}: {answer[:300]!r}")
        return dict(json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def upload_of(image: bytes) -> bytes:
    """The multipart body that uploads one image."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()


class LoadProcess:
    """A process that runs loads. Use as a context manager."""

    def __init__(self) -> None:
        # A forked child would share the server's sockets and half of its locks.
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def run(self, port: int, bodies: Sequence[bytes], clients: int, each: int) -> Load:
        return self._pool.submit(run_load, port, bodies, clients, each).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()


def run_load(port: int, bodies: Sequence[bytes], clients: int, each: int) -> Load:
    """`clients` threads post `each` uploads, one after the other, after one that does not count.

    Raises: OSError if any of them is not answered with 200.
    """
    ready = threading.Barrier(clients + 1, timeout=TIMEOUT_SECONDS)
    seconds: list[float] = []
    errors: list[BaseException] = []

    def client(number: int) -> None:
        mine = itertools.islice(itertools.cycle(bodies), number, None)
        try:
            with Client(port) as connection:
                connection.score(next(mine))
                ready.wait()
                seconds.extend(timed(connection, next(mine)) for _ in range(each))
        except Exception as error:
            errors.append(error)
            ready.abort()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        ready.wait()
    except threading.BrokenBarrierError as error:
        raise OSError(f"the clients could not start: {errors[:1]}") from error
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise OSError(f"a client failed: {errors[0]}")
    return Load(time.perf_counter() - started, tuple(seconds))


def timed(client: Client, body: bytes) -> float:
    """Seconds from sending an upload to having read its scores."""
    started = time.perf_counter()
    client.score(body)
    return time.perf_counter() - started
