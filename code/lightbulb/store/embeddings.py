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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lightbulb.errors import StoreError
from lightbulb.records import Bytes, Float16s, Ints

HASH_BYTES = 32
MOST_UNSORTED = 20_000  # hashes that were added since the others were sorted


class EmbeddingCache:
    """Any number of threads and processes; a file lock makes them append one after the other."""

    def __init__(self, directory: Path, fingerprint: str, dim: int) -> None:
        self.fingerprint = fingerprint
        self._folder = directory / fingerprint
        self._dim = dim
        self._row_bytes = dim * np.dtype(np.float16).itemsize
        self._vectors_path = self._folder / "vectors.f16"
        self._contents_path = self._folder / "contents.bin"
        self._row_of = RowsByHash()
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
        return bool(self.rows([content])[0] >= 0)

    def rows(self, contents: Sequence[str]) -> Ints:
        """Row of each content hash, int64 (n,), -1 where it is not cached."""
        return self.rows_of(as_hashes(bytes.fromhex("".join(contents))))

    def rows_of(self, hashes: Bytes) -> Ints:
        """Row of each content hash, uint8 (n, 32) → int64 (n,), -1 where it is not cached."""
        return self._row_of.find(hashes)

    def read(self, rows: Ints) -> Float16s:
        """float16 (len(rows), dim); read-only and not copied where the rows follow on each other."""
        if not len(rows):
            return np.empty((0, self._dim), dtype=np.float16)
        first, n = int(rows[0]), len(rows)
        if int(rows[-1]) - first == n - 1 and bool((np.diff(rows) == 1).all()):
            return np.asarray(self._mapped[first : first + n])
        return np.asarray(self._mapped[rows])

    def append(self, contents: Sequence[str], vectors: Float16s) -> None:
        """Adds vectors, float16 (n, dim), under their content hashes; those known by now are left out.

        Raises: StoreError if what was there before is gone.
        """
        if vectors.shape != (len(contents), self._dim) or vectors.dtype != np.float16:
            raise ValueError(f"{len(contents)} hashes, but vectors are {vectors.dtype} {vectors.shape}")
        hashes = [bytes.fromhex(content) for content in contents]
        with self._lock, self._file_lock:
            self._catch_up()
            known = self.rows(contents) >= 0
            new = {key: at for at, key in enumerate(hashes) if not known[at]}
            if new:
                _append(self._vectors_path, vectors[list(new.values())].tobytes())
                _append(self._contents_path, b"".join(new))
                first = len(self._row_of)
                self._mapped = self._map(first + len(new))
                self._row_of.add(b"".join(new))

    def _catch_up(self) -> None:
        """Cuts off what a kill left half written, and learns what another process has appended."""
        for path in (self._vectors_path, self._contents_path):
            path.touch()
        rows = min(
            self._vectors_path.stat().st_size // self._row_bytes,
            self._contents_path.stat().st_size // HASH_BYTES,
        )
        known = len(self._row_of)
        if rows < known:  # to go on would give items the embeddings of others
            raise StoreError(
                f"storage.embeddings: {self._folder} was removed or cut while in use; start Light Bulb anew, "
                "and the items are encoded anew"
            )
        os.truncate(self._vectors_path, rows * self._row_bytes)
        os.truncate(self._contents_path, rows * HASH_BYTES)
        if rows == known:
            return
        with self._contents_path.open("rb") as file:
            file.seek(known * HASH_BYTES)
            data = file.read()
        self._mapped = self._map(rows)
        self._row_of.add(data[: (rows - known) * HASH_BYTES])

    def _map(self, rows: int) -> Float16s:
        if not rows:
            return np.empty((0, self._dim), dtype=np.float16)
        return np.memmap(self._vectors_path, dtype=np.float16, mode="r", shape=(rows, self._dim))


class RowsByHash:
    """Row → hash and back, in 48 bytes a row, where a dict takes 200: most are sorted by their first bytes.

    One thread may add at a time, while any look up.
    """

    def __init__(self) -> None:
        self._sorted = _Sorted.of(as_hashes(b""))
        self._unsorted: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._sorted.hashes) + len(self._unsorted)

    def add(self, data: bytes) -> None:
        """The hashes of the rows that follow, one after the other."""
        first, new = len(self), len(data) // HASH_BYTES
        if new + len(self._unsorted) > MOST_UNSORTED:
            unsorted = as_hashes(b"".join(self._unsorted))
            # The sorted ones first: a reader that has the old dict finds all of its hashes there as well.
            self._sorted = _Sorted.of(np.concatenate([self._sorted.hashes, unsorted, as_hashes(data)]))
            self._unsorted = {}
        else:
            rows = range(first, first + new)
            self._unsorted.update({data[HASH_BYTES * (r - first) :][:HASH_BYTES]: r for r in rows})

    def find(self, hashes: Bytes) -> Ints:
        """uint8 (n, 32) → int64 (n,), -1 where there is none."""
        unsorted = self._unsorted  # before the sorted ones: see `add`
        rows = self._sorted.find(hashes)
        if unsorted:
            for at in np.flatnonzero(rows < 0):
                rows[at] = unsorted.get(hashes[at].tobytes(), -1)
        return rows


@dataclass(frozen=True)
class _Sorted:
    """hashes: uint8 (n, 32) by row. prefixes: their first 8 bytes, ascending. order: the row of each."""

    hashes: Bytes
    prefixes: NDArray[np.uint64]
    order: Ints

    @classmethod
    def of(cls, hashes: Bytes) -> _Sorted:
        prefixes = _prefixes(hashes)
        order = np.argsort(prefixes, kind="stable")
        return cls(hashes, prefixes[order], order)

    def find(self, wanted: Bytes) -> Ints:
        """uint8 (n, 32) → int64 (n,), the first row of each hash, -1 where there is none."""
        found = np.full(len(wanted), -1, dtype=np.int64)
        prefixes = _prefixes(wanted)
        left = np.arange(len(wanted))
        at = np.searchsorted(self.prefixes, prefixes)
        while len(left):  # once, but for hashes that differ after the first 8 bytes
            inside = at < len(self.prefixes)
            left, at = left[inside], at[inside]
            same = self.prefixes[at] == prefixes[left]
            left, at = left[same], at[same]
            rows = self.order[at]
            equal = (self.hashes[rows] == wanted[left]).all(axis=1)
            found[left[equal]] = rows[equal]
            left, at = left[~equal], at[~equal] + 1
        return found


def as_hashes(data: bytes) -> Bytes:
    """uint8 (n, 32), read-only."""
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, HASH_BYTES)


def _prefixes(hashes: Bytes) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes[:, :8]).view(np.uint64).reshape(-1)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
