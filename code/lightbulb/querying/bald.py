"""BALD: items that the members of an ensemble are each sure of, and disagree about.

Houlsby, Huszár, Ghahramani, Lengyel 2011, "Bayesian Active Learning for Classification and Preference
Learning" (arXiv 1112.5745). The ensemble is the classifiers of the cross-validation's folds: each was
fitted without a part of the labels, so they differ where few labels decide.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lightbulb.querying import Pool, ScoringStrategy
from lightbulb.querying.entropy import entropies
from lightbulb.records import Float64s


class Bald(ScoringStrategy):
    name: ClassVar[str] = "bald"
    needs: ClassVar[frozenset[str]] = frozenset({"votes"})

    def scores(self, pool: Pool, rng: np.random.Generator) -> Float64s:
        """Mutual information of an item's class and the choice of the member, in nats."""
        if pool.votes is None:
            raise ValueError("BALD needs the votes of an ensemble")
        return entropies(pool.votes.mean(axis=0)) - entropies(pool.votes).mean(axis=0)
