"""Query strategies: which items to ask about next. One file each; pure numpy, no I/O.

A strategy picks rows of a pool; `select.py` turns them into item ids and bridges what is not there yet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lightbulb.records import Bools, Float32s, Float64s, Ints

Points = Callable[[Ints], Float32s]  # rows (k,) → their points, float32 (k, dim)


def _no_points() -> Float32s:
    return np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class Pool:
    """The items that may be asked about, aligned by row, and what is known besides.

    item_ids: int64 (n,). probs: calibrated class probabilities float32 (n, n_classes), or None while
    there is no model. votes: the same by each member of an ensemble, float32 (n_members, n, n_classes).
    points: reads embeddings as the decoder sees them, row by row, because a pool may be larger than
    memory. known: points of items that are labelled or being asked now, float32 (m, dim).
    known_labels: their class indices int64 (m,), -1 while they are being asked.
    encoded: bool (n,), whether `points` knows the row; None: it knows all.
    """

    item_ids: Ints
    probs: Float32s | None = None
    points: Points | None = None
    votes: Float32s | None = None
    known: Float32s = field(default_factory=_no_points)
    known_labels: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    encoded: Bools | None = None

    def __len__(self) -> int:
        return len(self.item_ids)

    def of(self, rows: Ints) -> Pool:
        """The pool of these rows alone."""
        points = self.points
        return Pool(
            self.item_ids[rows],
            None if self.probs is None else self.probs[rows],
            None if points is None else lambda inner: points(rows[inner]),
            None if self.votes is None else self.votes[:, rows],
            self.known,
            self.known_labels,
            None if self.encoded is None else self.encoded[rows],
        )


class QueryStrategy(ABC):
    """needs: which of "probs", "votes", "points" a pool must have; without a model there are no
    "probs" and no "votes", and `select` asks at random instead."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        """Up to `count` rows of the pool, the most wanted first, none twice; int64 (k,).

        Where fewer than `count` come back of a larger pool, nothing tells the others apart.
        """


class ScoringStrategy(QueryStrategy):
    """A strategy that looks at each item by itself: the highest scores, equal ones in random order."""

    @abstractmethod
    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        """float64 (n,), finite: the higher, the sooner asked."""

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        return highest(self.scores(pool, rng), count, rng)


def highest(scores: Float64s, count: int, rng: np.random.Generator) -> Ints:
    """Rows of the `count` highest scores, the highest first; equal ones in random order. int64 (k,)."""
    count = min(count, len(scores))
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    shuffled = rng.permutation(len(scores))
    mixed = -scores[shuffled]
    cut = np.partition(mixed, count - 1)[count - 1]
    near = np.flatnonzero(mixed <= cut)
    return shuffled[near[np.argsort(mixed[near], kind="stable")][:count]].astype(np.int64)


def sample_rows(n: int, most: int, rng: np.random.Generator) -> Ints:
    """All rows, or `most` of them drawn uniformly; ascending, int64 (k,)."""
    if n <= most:
        return np.arange(n, dtype=np.int64)
    return np.sort(rng.choice(n, most, replace=False)).astype(np.int64)


def squared_distances(a: Float32s, b: Float32s) -> Float32s:
    """float32 (n, dim), (m, dim) → float32 (n, m), never below zero."""
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    return np.maximum(squares, 0).astype(np.float32)
