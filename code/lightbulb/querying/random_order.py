"""Uniform random order: what every other strategy has to beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lightbulb.querying import Pool, ScoringStrategy
from lightbulb.records import Float64s


class RandomOrder(ScoringStrategy):
    name: ClassVar[str] = "random"

    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        return rng.random(len(pool))
