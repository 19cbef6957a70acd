"""Query strategies: which items to ask about next. One file each; pure numpy, no I/O.

A strategy scores the pool; `select.py` turns scores into item ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lightbulb.records import Float32s, Float64s, Ints


@dataclass(frozen=True)
class Pool:
    """The items that may be asked about, aligned by row.

    item_ids: int64 (n,). probs: calibrated class probabilities float32 (n, n_classes), or None while
    there is no model. Rows of items the model has not scored yet are NaN.
    """

    item_ids: Ints
    probs: Float32s | None


class QueryStrategy(ABC):
    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()  # "probs": cannot score without a model

    @abstractmethod
    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        """float64 (n,): the higher, the sooner asked. Finite; ties are broken at random by the selection."""
