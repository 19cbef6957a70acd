"""The judgements file: always current within two seconds, and taken in when the database is new.

With hundreds of thousands of labels, which take seconds to write, it follows as soon as it can.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from lightbulb.config import did_you_mean
from lightbulb.errors import InputError, LabelError
from lightbulb.files import write_atomically
from lightbulb.items.folder import key_below
from lightbulb.records import Source
from lightbulb.store.database import now
from lightbulb.store.formats import LabelFormat, LabelRow
from lightbulb.store.items import Holdout, ItemStore
from lightbulb.store.labels import ImportedLabel, LabelStore
from lightbulb.tasks import Task

log = structlog.get_logger()

DELAY_SECONDS = 0.5  # answers that come in quick succession are written together
RETRY_SECONDS = 2.0
REST = 4.0  # pause, in times that the last writing took: a million labels take long


class JudgementsFile:
    """Writes the file behind the answers, in a thread of its own: training must not delay it."""

    def __init__(self, path: Path, labels: LabelStore, file_format: LabelFormat) -> None:
        self.path = path
        self._labels = labels
        self._format = file_format
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="judgements-file", daemon=True)
        self.error: str | None = None

    def start(self) -> None:
        self._changed.set()
        self._thread.start()

    def touch(self) -> None:
        self._changed.set()

    def stop(self) -> None:
        """Writes what is left and ends the thread."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write()

    def _run(self) -> None:
        took = 0.0
        while not self._stopping.is_set():
            self._changed.wait()
            if self._stopping.wait(max(DELAY_SECONDS, REST * took)):
                return
            self._changed.clear()
            started = time.monotonic()
            written = self._write()
            took = time.monotonic() - started
            if not written:
                self._stopping.wait(RETRY_SECONDS)
                self._changed.set()

    def _write(self) -> bool:
        try:
            write_atomically(self.path, self._format.write(self._labels.export_rows()).encode())
        except OSError as error:  # a full disk or a folder without permission: labels are safe, so go on
            self.error = f"{self.path} cannot be written: {error.strerror}"
            log.error("judgements.not_written", path=str(self.path), error=str(error))
            return False
        self.error = None
        return True

    def set_aside_if_edited(self) -> Path | None:
        """Renames a file that holds labels this database never had, so that writing does not lose them."""
        try:
            rows = self._format.read(self.path.read_text(encoding="utf-8-sig"))
            edited = bool({(row.path, row.label) for row in rows} - self._labels.ever_given())
        except FileNotFoundError:
            return None
        except (InputError, UnicodeDecodeError):
            edited = True
        if not edited:
            return None
        aside = self.path.with_name(f"{self.path.stem}.{now():%Y%m%dT%H%M%S}{self.path.suffix}")
        self.path.rename(aside)
        return aside


class Importing:
    """Labels from a file: all or none, with every bad row named."""

    def __init__(
        self, task: Task, items: ItemStore, labels: LabelStore, root: Path, holdout: Holdout
    ) -> None:
        self._task = task
        self._items = items
        self._labels = labels
        self._root = root
        self._holdout = holdout

    def import_text(self, text: str, file_format: LabelFormat, annotator: str) -> int:
        """Saves the labels of a file; returns how many. Files that are not there keep their labels.

        Raises: InputError listing rows with an unknown class, a path outside the dataset, or two
        different labels for one path.
        """
        rows = file_format.read(text)
        keys = self._check(rows)
        unique = dict(zip(keys, rows, strict=True))
        known = self._items.ids_by_key(list(unique))
        self._items.add_missing([key for key in unique if key not in known], self._holdout)
        ids = self._items.ids_by_key(list(unique))
        imported = [
            ImportedLabel(ids[key], row.label, _source(row), row.annotator, row.seconds, row.created_at)
            for key, row in unique.items()
        ]
        return self._labels.record_import(imported, annotator)

    def _check(self, rows: Sequence[LabelRow]) -> list[str]:
        problems: list[Mapping[str, Any]] = []
        keys: list[str] = []
        given: dict[str, LabelRow] = {}
        for row in rows:
            try:
                key = key_below(row.path, self._root)
                self._task.check_value(row.label)
                if row.source and row.source not in list(Source):
                    raise InputError(f"unknown source {row.source!r}{did_you_mean(row.source, list(Source))}")
                earlier = given.setdefault(key, row)
                if earlier.label != row.label:
                    raise InputError(f"{key} is {row.label!r} here and {earlier.label!r} in {earlier.where}")
                keys.append(key)
            except (InputError, LabelError) as error:
                problems.append({"row": row.where, "problem": error.message})
        if problems:
            listed = "\n".join(f"  {problem['row']}: {problem['problem']}" for problem in problems[:20])
            more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
            raise InputError(f"{len(problems)} rows cannot be imported\n{listed}{more}", details=problems)
        return keys


def _source(row: LabelRow) -> Source:
    return Source(row.source) if row.source else Source.IMPORTED
