"""Entropy sampling: items whose predicted classes are the most evenly spread.

Shannon 1948; as a query strategy in Settles 2009, "Active Learning Literature Survey".
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import entr

from lightbulb.querying import Pool, ScoringStrategy
from lightbulb.records import Float32s, Float64s


class Entropy(ScoringStrategy):
    name: ClassVar[str] = "entropy"
    needs: ClassVar[frozenset[str]] = frozenset({"probs"})

    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        if pool.probs is None:
            raise ValueError("entropy needs class probabilities")
        return entropies(pool.probs)


def entropies(probs: Float32s) -> Float64s:
    """In nats, over the last axis: float32 (..., n_classes) → float64 (...)."""
    return np.asarray(entr(probs.astype(np.float64)).sum(axis=-1), dtype=np.float64)
