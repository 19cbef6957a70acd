"""ProbCover: each time the item whose neighbourhood covers most of what is not covered yet.

Yehuda, Dekel, Hacohen, Weinshall 2022, "Active Learning Through a Covering Lens" (arXiv 2205.11320).
The radius is the largest at which neighbourhoods are pure, taking clusters of k-means for classes, as
there. On a large pool it works on a uniform sample, never on all pairs of items; it picks none beyond.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lightbulb.querying import Pool, QueryStrategy, highest, sample_rows, squared_distances
from lightbulb.querying.coreset import distance_to_nearest
from lightbulb.records import Bools, Float32s, Ints

SAMPLE = 3_000
PURITY = 0.95
JUDGED = 300  # points whose neighbourhoods the radius is chosen by
CLASSES = 10  # clusters to take for classes while nobody has said how many there are


class ProbCover(QueryStrategy):
    name: ClassVar[str] = "probcover"
    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        if pool.points is None:
            raise ValueError("ProbCover needs points")
        rows = sample_rows(len(pool), SAMPLE, rng)
        points = pool.points(rows)
        n_classes = CLASSES if pool.probs is None else pool.probs.shape[1]
        radius = pure_radius(points, n_classes, rng)
        covers = squared_distances(points, points) <= radius  # of the sample alone
        np.fill_diagonal(covers, True)
        uncovered = distance_to_nearest(points, pool.known) > radius
        return rows[widest_covers(covers, uncovered, count, rng)]


def widest_covers(covers: Bools, uncovered: Bools, count: int, rng: np.random.Generator) -> Ints:
    """Greedily the rows that cover most of what is not covered yet, int64 (k,); equal ones at random.

    covers: bool (n, n), whether a row's neighbourhood holds another row; every row's holds itself.
    """
    left: Bools = np.ones(len(covers), dtype=np.bool_)
    picked: list[int] = []
    while len(picked) < min(count, len(covers)):
        if not uncovered.any():  # begin anew
            uncovered = left
        gain = np.count_nonzero(covers & uncovered, axis=1)
        best = int(highest(np.where(left, gain, -1.0), 1, rng)[0])
        picked.append(best)
        left[best] = False
        uncovered = uncovered & ~covers[best]
    return np.array(picked, dtype=np.int64)


def pseudo_classes(points: Float32s, n_classes: int, rng: np.random.Generator) -> Ints:
    """k-means: the cluster of each point, int64 (n,).

    With a single start, one group is often split in two, and the radius then comes out far too small.
    """
    n_clusters = min(n_classes, len(np.unique(points.sum(axis=1))))
    means = KMeans(n_clusters, n_init=3, max_iter=50, random_state=int(rng.integers(2**31)))
    # Its products are small: threads, which the training next door wants too, cost more than they bring.
    with threadpool_limits(1):
        return means.fit_predict(points).astype(np.int64)


def pure_radius(points: Float32s, n_classes: int, rng: np.random.Generator) -> float:
    """The largest squared radius at which a share PURITY of points has neighbours of its own cluster only."""
    clusters = pseudo_classes(points, n_classes, rng)
    judged = rng.permutation(len(points))[:JUDGED]
    distances = squared_distances(points[judged], points)
    foreign = clusters[judged][:, None] != clusters[None, :]
    to_foreign = np.where(foreign, distances, np.inf).min(axis=1)
    if not np.isfinite(to_foreign).any():
        return float(np.median(distances))
    # Just below the distance at which one point more would have a foreign neighbour.
    return float(np.quantile(to_foreign, 1 - PURITY, method="lower")) * (1 - 1e-6)
