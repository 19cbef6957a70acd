"""k nearest neighbours: an item is like the labelled items closest to it.

Cover and Hart 1967, "Nearest Neighbor Pattern Classification"; the choice of teaching tools that learn from
a handful of pictures. Each neighbour votes by its nearness; k grows with the root of the number of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import PoolStatistics, normalise
from lightbulb.records import Bools, Float32s, Ints

MOST_NEIGHBOURS = 15
SHARPNESS = 10.0  # how fast a vote fades with the difference in cosine
PRIOR = 0.02  # votes that every class has before anyone votes: no class is ever impossible
AT_ONCE = 4096  # rows that are compared in one product


class KNN(Decoder):
    """examples: float32 (n, dim), normalised, of unit length. targets: class indices (n,)."""

    name: ClassVar[str] = "knn"

    def __init__(self, examples: Float32s, targets: Ints, n_classes: int, pool: PoolStatistics) -> None:
        self._examples = examples
        self._targets = targets
        self._n_classes = n_classes
        self._pool = pool

    @classmethod
    def fit_each(
        cls,
        embeddings: Float32s,
        targets: Ints,
        n_classes: int,
        subsets: Bools,
        pool: PoolStatistics,
        rng: np.random.Generator,
    ) -> list[Self]:
        units = unit_points(embeddings, pool)
        known = np.asarray(targets, dtype=np.int64)
        return [cls(units[subset], known[subset], n_classes, pool) for subset in subsets]

    def logits(self, embeddings: Float32s) -> Float32s:
        """Logarithms of the shares of the votes."""
        found = np.empty((len(embeddings), self._n_classes), dtype=np.float32)
        for start in range(0, len(embeddings), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            found[rows] = self._votes(unit_points(embeddings[rows], self._pool))
        return np.log(found / found.sum(axis=1, keepdims=True))

    def _votes(self, units: Float32s) -> Float32s:
        """float32 (n, n_classes): the sum over the nearest examples of each class of how near they are."""
        votes = np.full((len(units), self._n_classes), PRIOR, dtype=np.float32)
        k = neighbours_for(len(self._targets))
        if not k:
            return votes
        similarity = units @ self._examples.T
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(similarity, nearest, axis=1)
        # from 1 for the nearest of all down: what is far off says little, however few there are
        weight = np.exp((near - near.max(axis=1, keepdims=True)) * SHARPNESS)
        np.add.at(votes, (np.arange(len(units))[:, None], self._targets[nearest]), weight)
        return votes

    def arrays(self) -> Mapping[str, np.ndarray]:
        return {
            "examples": self._examples,
            "targets": self._targets,
            "n_classes": np.array([self._n_classes]),
            "pool_mean": self._pool.mean,
            "pool_scale": np.array([self._pool.scale]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        pool = PoolStatistics(arrays["pool_mean"].astype(np.float32), float(arrays["pool_scale"][0]))
        return cls(arrays["examples"], arrays["targets"], int(arrays["n_classes"][0]), pool)


def unit_points(embeddings: Float32s, pool: PoolStatistics) -> Float32s:
    """Normalised, then of length 1, so that a product is a cosine. float32 (n, dim)."""
    points = normalise(embeddings, pool)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.maximum(lengths, 1e-12), dtype=np.float32)


def neighbours_for(n_labels: int) -> int:
    """How many neighbours vote."""
    return min(MOST_NEIGHBOURS, n_labels, max(1, round(n_labels**0.5)))
