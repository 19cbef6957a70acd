"""Models on disk: one folder each, written beside and renamed, without pickle; and their history."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sqlalchemy import func, select

from lightbulb.errors import NotFound, StoreError
from lightbulb.files import fsync_folder, write_atomically
from lightbulb.records import Snapshot
from lightbulb.store.database import Database, now
from lightbulb.store.schema import models

log = structlog.get_logger()

ARRAYS, CARD = "model.safetensors", "model.json"
PINNED = "pinned.json"  # beside the folders: the model that a person chose to serve
FORMAT = 1
STEPS_BACK = (1, 10, 100, 1000)


@dataclass(frozen=True)
class StoredModel:
    """card: the JSON beside the arrays (decoder, classes, encoder, thresholds, metrics, label count)."""

    version: int
    arrays: Mapping[str, np.ndarray]
    card: Mapping[str, Any]


class ModelFolder:
    """`directory/000007/` and so on; readable without a database, so that serving needs nothing else."""

    def __init__(self, directory: Path, *, keep: int) -> None:
        self._directory = directory
        self._keep = keep
        self._lock = threading.RLock()  # a model must not be pruned while it is being chosen

    def save(self, version: int, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        beside = self._directory / f".{uuid.uuid4().hex}"
        beside.mkdir()
        try:
            save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, beside / ARRAYS)
            text = json.dumps({"format": FORMAT, "version": version, **card}, indent=2, ensure_ascii=False)
            (beside / CARD).write_text(text, encoding="utf-8")
            for name in (ARRAYS, CARD):
                with (beside / name).open("rb") as file:
                    os.fsync(file.fileno())
            beside.rename(self._directory / f"{version:06d}")
            fsync_folder(self._directory)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        self._prune()

    def last_good(self) -> StoredModel | None:
        """The newest model that can be read; damaged ones are passed over with a warning in the log."""
        for version in sorted(self.versions(), reverse=True):
            try:
                return self.load(version)
            except (NotFound, StoreError) as error:
                log.warning("model.unreadable", version=version, error=error.message)
        return None

    def load(self, version: int) -> StoredModel:
        """Raises: NotFound if the version is not kept; StoreError if it is damaged."""
        folder = self.folder(version)
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            if card["format"] != FORMAT:
                raise ValueError(f"format {card['format']} is not {FORMAT}")
            return StoredModel(version, load_file(folder / ARRAYS), card)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise StoreError(f"model {version} cannot be read: {error}") from error

    def folder(self, version: int) -> Path:
        """Raises: NotFound if the version is not kept."""
        folder = self._directory / f"{version:06d}"
        if not folder.is_dir():
            raise NotFound(f"model {version} is not kept (any more)", code="unknown_model")
        return folder

    def versions(self) -> list[int]:
        if not self._directory.is_dir():
            return []
        return [int(folder.name) for folder in self._directory.iterdir() if folder.name.isdecimal()]

    def tuned(self) -> set[str]:
        """Names of the fine-tuned encoder weights that the kept models were made with."""
        names: set[str] = set()
        for version in self.versions():
            # `last_good` tells of damaged ones
            with contextlib.suppress(OSError, ValueError, AttributeError):
                card = json.loads((self._directory / f"{version:06d}" / CARD).read_text(encoding="utf-8"))
                names.add(card.get("made_with", {}).get("tuned") or "")
        return names - {""}

    def bytes_of(self, version: int) -> int:
        """What a version takes on disk; 0 once it is gone."""
        files = (self._directory / f"{version:06d}").glob("*")
        try:
            return sum(file.stat().st_size for file in files)
        except OSError:  # pruned at this moment
            return 0

    def pinned(self) -> int | None:
        """The version that a person chose to serve. Raises: StoreError if the note of it is damaged."""
        try:
            return int(json.loads((self._directory / PINNED).read_text(encoding="utf-8"))["version"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._directory / PINNED} cannot be read: {error}") from error

    def pin(self, version: int) -> None:
        """The version serves, and is kept, until it is released. Raises: NotFound if it is not kept."""
        with self._lock:
            self.folder(version)
            write_atomically(self._directory / PINNED, json.dumps({"version": version}).encode())

    def release(self) -> None:
        """The newest version serves again."""
        (self._directory / PINNED).unlink(missing_ok=True)

    def _prune(self) -> None:
        with self._lock:
            kept = versions_to_keep(self.versions(), self._keep)
            for version in set(self.versions()) - kept - {self.pinned()}:
                shutil.rmtree(self._directory / f"{version:06d}", ignore_errors=True)
        for leftover in self._directory.glob(".*"):
            if len(leftover.name) == 33:  # a folder half written when the process was killed
                shutil.rmtree(leftover, ignore_errors=True)


def versions_to_keep(versions: Iterable[int], keep: int) -> set[int]:
    """The newest `keep`, and as many of every tenth, hundredth and thousandth version.

    A model comes with every answer, and who rolls back wants to go further back than a few of them.
    """
    newest_first = sorted(versions, reverse=True)
    return {
        version for step in STEPS_BACK for version in [one for one in newest_first if one % step == 0][:keep]
    }


class ModelHistory:
    """One row per published model, kept for ever: the learning curve."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, snapshot: Snapshot) -> None:
        accuracy = snapshot.accuracy
        values = {
            "version": snapshot.version, "created_at": now(), "labels": snapshot.labels,
            "trained_on": snapshot.trained_on, "encoder_fingerprint": snapshot.encoder_fingerprint,
            "accuracy": accuracy and accuracy.value, "low": accuracy and accuracy.low,
            "high": accuracy and accuracy.high, "n": accuracy and accuracy.n,
            "metrics": dict(snapshot.metrics),
        }  # fmt: skip
        with self._database.write() as connection:
            connection.execute(models.insert().values(values))

    def last_version(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.max(models.c.version))).scalar() or 0

    def rows(self) -> list[dict[str, Any]]:
        with self._database.read() as connection:
            rows = connection.execute(select(models).order_by(models.c.version))
            return [dict(row._mapping) for row in rows]
