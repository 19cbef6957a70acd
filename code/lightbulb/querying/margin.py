"""Margin sampling: items whose two most probable classes are nearly level.

Scheffer, Decomain, Wrobel 2001, "Active Hidden Markov Models for Information Extraction".
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lightbulb.querying import Pool, ScoringStrategy
from lightbulb.records import Float32s, Float64s


class Margin(ScoringStrategy):
    name: ClassVar[str] = "margin"
    needs: ClassVar[frozenset[str]] = frozenset({"probs"})

    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        if pool.probs is None:
            raise ValueError("margin needs class probabilities")
        return -margins(pool.probs)


def margins(probs: Float32s) -> Float64s:
    """Probability of the first class less that of the second, float64 (n,)."""
    top_two = np.partition(probs, -2, axis=1)[:, -2:].astype(np.float64)
    return top_two[:, 1] - top_two[:, 0]
