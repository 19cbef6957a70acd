"""Typical items of clusters first, then the least certain ones, spread out.

The switch by label count follows TCM (Doucet, Estermann, Aczel, Wattenhofer 2024, "Bridging Diversity
and Uncertainty in Active Learning with Self-Supervised Pre-Training", arXiv 2403.03728): TypiClust while
labels are few, margin afterwards. Within one batch of questions the margins are spread over clusters
as in Zhdanov 2019, "Diverse mini-batch Active Learning" (arXiv 1901.05954), so that ten questions asked
at once do not ask one thing ten times; what is being asked already counts as asked.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans

from lightbulb.querying import Pool, QueryStrategy
from lightbulb.querying.margin import margins
from lightbulb.querying.typiclust import one_thread, typical_rows
from lightbulb.records import Float32s, Ints

FIRST, FIRST_PER_CLASS = 22, 1  # labels, and labels per class, until the switch
SHORTLIST = 5  # least certain items considered for each one wanted


class Auto(QueryStrategy):
    name: ClassVar[str] = "auto"
    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        if pool.probs is None or len(pool.known) < FIRST + FIRST_PER_CLASS * pool.probs.shape[1]:
            return typical_rows(pool, count, rng)
        return uncertain_and_apart(pool, count, rng)


def uncertain_and_apart(pool: Pool, count: int, rng: np.random.Generator) -> Ints:
    """int64 (k,): rows with the least margins, one from each cluster of the shortlist."""
    if pool.probs is None or pool.points is None:
        raise ValueError("needs class probabilities and points")
    scored = np.flatnonzero(np.isfinite(pool.probs.sum(axis=1)))
    margin = margins(pool.probs[scored])
    asked = pool.known[pool.known_labels < 0]
    wanted = count + len(asked)
    size = min(SHORTLIST * wanted, len(scored))
    if size <= count or wanted == 1:
        return scored[np.argsort(margin, kind="stable")[:count]]
    near = np.argpartition(margin, size - 1)[:size]
    near = near[np.argsort(margin[near], kind="stable")]
    certainty = np.concatenate([margin[near], np.zeros(len(asked))])
    clusters = spread(np.concatenate([pool.points(scored[near]), asked]), certainty, wanted, rng)
    taken = set(clusters[size:].tolist())
    picked = []
    for at in range(size):  # the least certain first
        if clusters[at] not in taken:
            taken.add(int(clusters[at]))
            picked.append(at)
    chosen = np.array(picked[:count], dtype=np.int64)
    rest = np.setdiff1d(np.arange(size), chosen)[: count - len(chosen)]
    return scored[near[np.concatenate([chosen, rest])]]


def spread(points: Float32s, margin: np.ndarray, n_clusters: int, rng: np.random.Generator) -> Ints:
    """k-means, weighted by uncertainty: the cluster of each point, int64 (n,)."""
    n_clusters = min(n_clusters, len(np.unique(points.sum(axis=1))))
    means = KMeans(n_clusters, n_init=1, max_iter=20, random_state=int(rng.integers(2**31)))
    with one_thread():
        return means.fit_predict(points, sample_weight=1.001 - margin).astype(np.int64)
