"""BADGE: k-means++ over the gradients that each item's likeliest label would cause in the last layer.

Ash, Zhang, Krishnamurthy, Langford, Agarwal 2020, "Deep Batch Active Learning by Diverse, Uncertain
Gradient Lower Bounds" (arXiv 1906.03671). A gradient is the outer product of (probabilities - one-hot of
the likeliest class) and the point, so the inner product of two of them is that of the first factors
times that of the second ones, and the gradients themselves, n_classes times as long, are never made.
On a large pool it works on a uniform sample.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lightbulb.querying import Pool, QueryStrategy, highest, sample_rows
from lightbulb.records import Float32s, Float64s, Ints

SAMPLE = 20_000


class Badge(QueryStrategy):
    name: ClassVar[str] = "badge"
    needs: ClassVar[frozenset[str]] = frozenset({"probs", "points"})

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        if pool.probs is None or pool.points is None:
            raise ValueError("BADGE needs class probabilities and points")
        rows = sample_rows(len(pool), max(SAMPLE, count), rng)
        residuals, points = residuals_of(pool.probs[rows]), pool.points(rows)
        norms = np.square(residuals).sum(axis=1) * np.square(points).sum(axis=1)
        count = min(count, len(rows))
        picked = [int(row) for row in highest(norms.astype(np.float64), min(count, 1), rng)]
        nearest = gradient_distances(residuals, points, norms, picked[0]) if picked else norms
        while len(picked) < count:
            nearest[picked] = 0
            weight = nearest.astype(np.float64)
            if weight.sum() <= 0:  # all that is left is the same
                weight[:] = 1
                weight[picked] = 0
            best = int(rng.choice(len(rows), p=weight / weight.sum()))
            picked.append(best)
            nearest = np.minimum(nearest, gradient_distances(residuals, points, norms, best))
        return rows[np.array(picked, dtype=np.int64)]


def residuals_of(probs: Float32s) -> Float32s:
    """Probabilities less the one-hot of the likeliest class, float32 (n, n_classes)."""
    residuals = probs.astype(np.float32).copy()
    residuals[np.arange(len(probs)), probs.argmax(axis=1)] -= 1
    return residuals


def gradient_distances(residuals: Float32s, points: Float32s, norms: Float32s, row: int) -> Float64s:
    """Squared distance of each item's gradient to that of `row`, float64 (n,)."""
    inner = (residuals @ residuals[row]).astype(np.float64) * (points @ points[row])
    return np.maximum(norms + norms[row] - 2 * inner, 0)
