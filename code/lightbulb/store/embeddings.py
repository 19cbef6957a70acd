"""Embeddings on disk, by encoder fingerprint and content hash: float16, appended in chunks, memory-mapped.

    FINGERPRINT/vectors.f16   row after row
    FINGERPRINT/contents.bin  32 bytes for each row: the content hash

Vectors are flushed before the hashes that claim them, so a kill between the two loses one chunk at
most, and what is left over is cut off at the next start.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from lightbulb.errors import StoreError
from lightbulb.records import Float16s, Ints

HASH_BYTES = 32


class EmbeddingCache:
    """Any number of threads and processes; a file lock makes them append one after the other."""

    def __init__(self, directory: Path, fingerprint: str, dim: int) -> None:
        self._folder = directory / fingerprint
        self._dim = dim
        self._row_bytes = dim * np.dtype(np.float16).itemsize
        self._vectors_path = self._folder / "vectors.f16"
        self._contents_path = self._folder / "contents.bin"
        self._row_of: dict[bytes, int] = {}
        self._lock = threading.Lock()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file_lock = FileLock(self._folder / "lock")
            with self._lock, self._file_lock:
                self._catch_up()
        except OSError as error:
            raise StoreError(f"storage.embeddings: {self._folder} cannot be used: {error}") from error
        self._mapped = self._map(len(self._row_of))

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, content: str) -> bool:
        return bytes.fromhex(content) in self._row_of

    def rows(self, contents: Sequence[str]) -> Ints:
        """Row of each content hash, int64 (n,), -1 where it is not cached."""
        get = self._row_of.get
        return np.array([get(bytes.fromhex(content), -1) for content in contents], dtype=np.int64)

    def read(self, rows: Ints) -> Float16s:
        """float16 (len(rows), dim)."""
        if not len(rows):
            return np.empty((0, self._dim), dtype=np.float16)
        return np.asarray(self._mapped[rows])

    def append(self, contents: Sequence[str], vectors: Float16s) -> None:
        """Adds vectors, float16 (n, dim), under their content hashes; those known by now are left out."""
        if vectors.shape != (len(contents), self._dim) or vectors.dtype != np.float16:
            raise ValueError(f"{len(contents)} hashes, but vectors are {vectors.dtype} {vectors.shape}")
        hashes = [bytes.fromhex(content) for content in contents]
        with self._lock, self._file_lock:
            self._catch_up()
            new = {key: at for at, key in enumerate(hashes) if key not in self._row_of}
            if new:
                _append(self._vectors_path, vectors[list(new.values())].tobytes())
                _append(self._contents_path, b"".join(new))
                first = len(self._row_of)
                self._mapped = self._map(first + len(new))
                self._row_of.update({key: first + at for at, key in enumerate(new)})

    def _catch_up(self) -> None:
        """Cuts off what a kill left half written, and learns what another process has appended."""
        for path in (self._vectors_path, self._contents_path):
            path.touch()
        rows = min(
            self._vectors_path.stat().st_size // self._row_bytes,
            self._contents_path.stat().st_size // HASH_BYTES,
        )
        os.truncate(self._vectors_path, rows * self._row_bytes)
        os.truncate(self._contents_path, rows * HASH_BYTES)
        known = len(self._row_of)
        if rows == known:
            return
        with self._contents_path.open("rb") as file:
            file.seek(known * HASH_BYTES)
            data = file.read()
        self._mapped = self._map(rows)
        for at in range(rows - known):
            self._row_of[data[at * HASH_BYTES : (at + 1) * HASH_BYTES]] = known + at

    def _map(self, rows: int) -> Float16s:
        if not rows:
            return np.empty((0, self._dim), dtype=np.float16)
        return np.memmap(self._vectors_path, dtype=np.float16, mode="r", shape=(rows, self._dim))


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
