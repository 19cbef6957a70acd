"""Coreset by k-center greedy: each time the item farthest from all that is known or chosen.

Sener and Savarese 2018, "Active Learning for Convolutional Neural Networks: A Core-Set Approach"
(arXiv 1708.00489). On a large pool it works on a uniform sample.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lightbulb.querying import Pool, QueryStrategy, highest, sample_rows, squared_distances
from lightbulb.records import Float32s, Float64s, Ints

SAMPLE = 10_000
KNOWN_AT_ONCE = 256  # known points that distances are taken to in one product


class Coreset(QueryStrategy):
    name: ClassVar[str] = "coreset"
    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        if pool.points is None:
            raise ValueError("coreset needs points")
        rows = sample_rows(len(pool), max(SAMPLE, count), rng)
        points = pool.points(rows)
        nearest = distance_to_nearest(points, pool.known)
        picked: list[int] = []
        while len(picked) < min(count, len(rows)):
            from_nothing = not picked and not len(pool.known)
            wanted = centrality(points) if from_nothing else nearest.astype(np.float64)
            best = int(highest(wanted, 1, rng)[0])
            picked.append(best)
            nearest = np.minimum(nearest, squared_distances(points, points[best : best + 1])[:, 0])
            nearest[picked] = -1
        return rows[np.array(picked, dtype=np.int64)]


def distance_to_nearest(points: Float32s, known: Float32s) -> Float32s:
    """Squared distance of each point to the nearest known one, float32 (n,), infinite where none is known."""
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    for start in range(0, len(known), KNOWN_AT_ONCE):
        some = squared_distances(points, known[start : start + KNOWN_AT_ONCE])
        nearest = np.minimum(nearest, some.min(axis=1))
    return nearest


def centrality(points: Float32s) -> Float64s:
    """Highest where nearest to the mean, which is where to begin with nothing known; float64 (n,)."""
    return -squared_distances(points, points.mean(axis=0, keepdims=True))[:, 0].astype(np.float64)
