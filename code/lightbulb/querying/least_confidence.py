"""Least confidence: items whose most probable class is the least probable.

Lewis and Gale 1994, "A Sequential Algorithm for Training Text Classifiers".
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lightbulb.querying import Pool, ScoringStrategy
from lightbulb.records import Float64s


class LeastConfidence(ScoringStrategy):
    name: ClassVar[str] = "least_confidence"
    needs: ClassVar[frozenset[str]] = frozenset({"probs"})

    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        if pool.probs is None:
            raise ValueError("least confidence needs class probabilities")
        return 1 - pool.probs.max(axis=1).astype(np.float64)
