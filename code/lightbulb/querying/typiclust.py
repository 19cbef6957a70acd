"""TypiClust: the most typical item of each cluster that holds nothing known yet, large clusters first.

Hacohen, Dekel, Weinshall 2022, "Active Learning on a Budget: Opposite Strategies Suit High and Low
Budgets" (arXiv 2202.02794): k-means with one cluster for each known and each wanted item; typical is
what lies close to its nearest neighbours. On a large pool it works on a uniform sample.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController

from lightbulb.querying import Pool, QueryStrategy, sample_rows, squared_distances
from lightbulb.records import Float32s, Ints

SAMPLE = 2_500  # rows that are clustered
MOST_CLUSTERS = 500
NEIGHBOURS = 20
LARGEST = 1_000  # rows of a cluster whose distances are compared


class TypiClust(QueryStrategy):
    name: ClassVar[str] = "typiclust"
    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        return typical_rows(pool, count, rng)


def typical_rows(pool: Pool, count: int, rng: np.random.Generator) -> Ints:
    """int64 (k,): rows of the pool, those of the least known and largest clusters first."""
    if pool.points is None:
        raise ValueError("typical items need points")
    rows = sample_rows(len(pool), max(SAMPLE, count), rng)
    points = pool.points(rows)
    known = pool.known[-(MOST_CLUSTERS // 2) :].reshape(-1, points.shape[1])
    n_clusters = min(len(known) + count, MOST_CLUSTERS, len(np.unique(points.sum(axis=1))))
    clusters = cluster(np.concatenate([points, known]), n_clusters, rng)
    unlabelled, of_known = clusters[: len(rows)], clusters[len(rows) :]
    size = np.bincount(unlabelled, minlength=n_clusters)
    order = np.lexsort((-size, np.bincount(of_known, minlength=n_clusters)))
    picked: list[int] = []
    left = np.ones(len(rows), dtype=np.bool_)
    while len(picked) < min(count, len(rows)):  # more than one round if there are fewer clusters than wanted
        for one in order:
            mine = np.flatnonzero(left & (unlabelled == one))
            if len(mine) and len(picked) < count:
                best = int(mine[typicality(points[mine[:LARGEST]]).argmax()])
                picked.append(best)
                left[best] = False
    return rows[np.array(picked, dtype=np.int64)]


def cluster(points: Float32s, n_clusters: int, rng: np.random.Generator) -> Ints:
    """k-means: the cluster of each point, int64 (n,)."""
    seed = int(rng.integers(2**31))
    means = KMeans(n_clusters, n_init=1, max_iter=25, random_state=seed)
    # Its products are small: threads, which the training next door wants too, cost more than they bring.
    with one_thread():
        return means.fit_predict(points).astype(np.int64)


@functools.cache
def _loaded_libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """The libraries' products on one thread. Looking for the libraries takes longer than the products do."""
    limited: AbstractContextManager[object] = _loaded_libraries().limit(limits=1)
    return limited


def typicality(points: Float32s) -> Float32s:
    """One over the mean distance to the nearest neighbours, float32 (n,). points: (n, dim), n ≥ 1."""
    neighbours = min(NEIGHBOURS, len(points) - 1)
    if not neighbours:
        return np.ones(1, dtype=np.float32)
    distances = np.sqrt(squared_distances(points, points))
    np.fill_diagonal(distances, np.inf)
    nearest = np.partition(distances, neighbours - 1, axis=1)[:, :neighbours]
    return (1 / np.maximum(nearest.mean(axis=1), 1e-6)).astype(np.float32)
