"""ProbCover: each time the item whose neighbourhood covers most of what is not covered yet.

Yehuda, Dekel, Hacohen, Weinshall 2022, "Active Learning Through a Covering Lens" (arXiv 2205.11320).
The radius is the largest at which neighbourhoods are pure, taking clusters of k-means for classes, as
there: as many as there are classes or, while no model says how many, as fit best by their silhouette
(Rousseeuw 1987). On a large pool it works on a uniform sample, and picks nothing beyond it.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from lightbulb.querying import Pool, QueryStrategy, highest, sample_rows, squared_distances
from lightbulb.querying.coreset import distance_to_nearest
from lightbulb.records import Bools, Float32s, Ints

SAMPLE = 3_000
PURITY = 0.95
JUDGED = 300  # points whose neighbourhoods the radius is chosen by, and the number of clusters
MOST_CLASSES = 10  # clusters to take for classes while nobody has said how many there are
STARTS = 3  # of k-means; a single one often splits a group in two, and the radius comes out far too small


class ProbCover(QueryStrategy):
    name: ClassVar[str] = "probcover"
    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        if pool.points is None:
            raise ValueError("ProbCover needs points")
        rows = sample_rows(len(pool), SAMPLE, rng)
        points = pool.points(rows)
        n_classes = None if pool.probs is None else pool.probs.shape[1]
        # Small products: threads, which a training in the background wants too, cost more than they bring.
        with threadpool_limits(1):
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


def pure_radius(points: Float32s, n_classes: int | None, rng: np.random.Generator) -> float:
    """The largest squared radius at which a share PURITY of points has neighbours of its own cluster only."""
    clusters = clusters_of(points, n_classes or likely_classes(points, rng), STARTS, rng)
    judged = rng.permutation(len(points))[:JUDGED]
    distances = squared_distances(points[judged], points)
    foreign = clusters[judged][:, None] != clusters[None, :]
    to_foreign = np.where(foreign, distances, np.inf).min(axis=1)
    if not np.isfinite(to_foreign).any():
        return float(np.median(distances))
    # Just below the distance at which one point more would have a foreign neighbour.
    return float(np.quantile(to_foreign, 1 - PURITY, method="lower")) * (1 - 1e-6)


def likely_classes(points: Float32s, rng: np.random.Generator) -> int:
    """The number of clusters, 2 to MOST_CLASSES, that has the best silhouette on a few of the points."""
    few = points[rng.permutation(len(points))[:JUDGED]]
    silhouettes = {}
    for n_clusters in range(2, min(MOST_CLASSES + 1, distinct(few))):
        silhouettes[n_clusters] = silhouette_score(few, clusters_of(few, n_clusters, 1, rng))
    return max(silhouettes, key=silhouettes.__getitem__, default=2)


def clusters_of(points: Float32s, n_clusters: int, starts: int, rng: np.random.Generator) -> Ints:
    """k-means: the cluster of each point, int64 (n,); fewer clusters where fewer points differ."""
    n_clusters = min(n_clusters, distinct(points))
    means = KMeans(n_clusters, n_init=starts, max_iter=50, random_state=int(rng.integers(2**31)))
    return means.fit_predict(points).astype(np.int64)


def distinct(points: Float32s) -> int:
    """How many points differ, by their sums: never too many, and quick."""
    return len(np.unique(points.sum(axis=1)))
