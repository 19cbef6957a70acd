"""A thread that does one piece of work after the other, and outlives whatever goes wrong in any."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import structlog

from lightbulb.errors import LightBulbError

log = structlog.get_logger()

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 60.0
STOP_SECONDS = 15.0
NICENESS = 10  # of 19


class Worker:
    """step: one piece of work; False if there was none, and then it is called again after `wake`.

    failed: is told of each failure, before the step is tried again.
    """

    def __init__(self, name: str, step: Callable[[], bool], failed: Callable[[], None]) -> None:
        self.error: str | None = None  # why the last step failed
        self._name = name
        self._step = step
        self._failed = failed
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Returns whether the thread has ended, which it does after the step in hand."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)  # a download that hangs must not hold up the end
        return not self._thread.is_alive()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def wait_until_stopped(self) -> None:
        self._stopping.wait()

    def _run(self) -> None:
        give_way()
        retry = FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                worked = self._step()
                self.error, retry = None, FIRST_RETRY_SECONDS
            except Exception as error:  # the thread must outlive any mistake in a step
                known = isinstance(error, LightBulbError)
                self.error = str(error) if known else f"{type(error).__name__}: {error}"
                log.error(f"{self._name}.failed", error=self.error, retry_seconds=retry, exc_info=not known)
                self._failed()
                self._stopping.wait(retry)
                retry = min(2 * retry, LAST_RETRY_SECONDS)
                continue
            if not worked:
                self._wake.wait()


def give_way() -> None:
    """Lets this thread, and those that it starts, wait for others that want a core: they answer the pages.

    Only Linux knows priorities of threads; elsewhere the whole process would be slowed down.
    """
    if sys.platform.startswith("linux"):
        thread = threading.get_native_id()
        mine = os.getpriority(os.PRIO_PROCESS, thread)  # a higher one than the process has is not allowed
        os.setpriority(os.PRIO_PROCESS, thread, max(mine, NICENESS))
