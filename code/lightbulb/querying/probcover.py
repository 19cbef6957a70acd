"""ProbCover: each time the item whose neighbourhood covers most of what is not covered yet.

Yehuda, Dekel, Hacohen, Weinshall 2022, "Active Learning Through a Covering Lens" (arXiv 2205.11320).
The radius is the largest at which neighbourhoods are pure, taking clusters of k-means for classes, as
there. On a large pool it works on a uniform sample, never on all pairs of items.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans

from lightbulb.querying import Pool, QueryStrategy, sample_rows, squared_distances
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
        rows = sample_rows(len(pool), max(SAMPLE, count), rng)
        points = pool.points(rows)
        n_classes = CLASSES if pool.probs is None else pool.probs.shape[1]
        radius = pure_radius(points, n_classes, rng)
        covers = squared_distances(points, points) <= radius  # of the sample alone
        uncovered: Bools = distance_to_nearest(points, pool.known) > radius
        left: Bools = np.ones(len(rows), dtype=np.bool_)
        picked: list[int] = []
        while len(picked) < min(count, len(rows)):
            gain = np.where(left, covers[:, uncovered].sum(axis=1), -1)
            best = int(gain.argmax())
            if gain[best] <= 0:  # everything is covered: begin anew
                uncovered = left.copy()
                best = int(np.where(left, covers[:, uncovered].sum(axis=1), -1).argmax())
            picked.append(best)
            left[best] = False
            uncovered &= ~covers[best]
        return rows[np.array(picked, dtype=np.int64)]


def pure_radius(points: Float32s, n_classes: int, rng: np.random.Generator) -> float:
    """The largest squared radius at which a share PURITY of points has neighbours of its own cluster only."""
    n_clusters = min(n_classes, len(np.unique(points.sum(axis=1))))
    seed = int(rng.integers(2**31))
    clusters = KMeans(n_clusters, n_init=1, max_iter=50, random_state=seed).fit_predict(points)
    judged = rng.permutation(len(points))[:JUDGED]
    distances = squared_distances(points[judged], points)
    foreign = clusters[judged][:, None] != clusters[None, :]
    to_foreign = np.where(foreign, distances, np.inf).min(axis=1)
    if not np.isfinite(to_foreign).any():
        return float(np.median(distances))
    # Just below the distance at which one point more would have a foreign neighbour.
    return float(np.quantile(to_foreign, 1 - PURITY, method="lower")) * (1 - 1e-6)
