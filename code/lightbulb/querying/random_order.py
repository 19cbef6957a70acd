"""Uniform random order: what every other strategy has to beat, and the only one that needs no model."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lightbulb.querying import Pool, QueryStrategy
from lightbulb.records import Float64s


class RandomOrder(QueryStrategy):
    name: ClassVar[str] = "random"

    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        return rng.random(len(pool.item_ids))
