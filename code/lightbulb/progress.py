"""How far encoding has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = structlog.get_logger()

SECONDS_BETWEEN_LINES = 10.0


class EncodingBar:
    """`update` may be called from any thread."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress: Progress | None = None
        self._lock = threading.Lock()
        self._said_at = time.monotonic()

    def update(self, done: int, total: int) -> None:
        with self._lock:
            if not self._console.is_terminal:
                self._say(done, total)
            elif self._progress is None and done < total:
                self._progress = Progress(
                    TextColumn("Encoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                    console=self._console,
                )  # fmt: skip
                self._progress.start()
                self._progress.add_task("encoding", total=total, completed=done)
            elif self._progress is not None:
                self._progress.update(self._progress.task_ids[0], completed=done, total=total)
                if done >= total:
                    self._stop()

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _say(self, done: int, total: int) -> None:
        if time.monotonic() - self._said_at > SECONDS_BETWEEN_LINES:
            self._said_at = time.monotonic()
            log.info("encoding", done=done, total=total)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
