"""From a strategy's scores to the ids to ask about."""

from __future__ import annotations

import numpy as np

from lightbulb.querying import Pool, QueryStrategy
from lightbulb.querying.random_order import RandomOrder
from lightbulb.records import Bools, ItemId


def select(strategy: QueryStrategy, pool: Pool, count: int, rng: np.random.Generator) -> list[ItemId]:
    """Up to `count` ids, best first, none twice; equal scores in random order.

    Items the model has not scored yet come last, at random: nothing is known of them. Without a model
    a strategy that needs one gives way to random order.
    """
    if pool.probs is None and "probs" in strategy.needs:
        strategy = RandomOrder()
    scored: Bools = np.ones(len(pool.item_ids), dtype=np.bool_)
    if pool.probs is not None and "probs" in strategy.needs:
        scored = np.isfinite(pool.probs.sum(axis=1))
    scores = np.full(len(pool.item_ids), -np.inf)
    if scored.any():
        known = Pool(pool.item_ids[scored], None if pool.probs is None else pool.probs[scored])
        scores[scored] = strategy.scores(known, rng)
    shuffled = rng.permutation(len(scores))
    best = shuffled[np.argsort(-scores[shuffled], kind="stable")][:count]
    return [int(item) for item in pool.item_ids[best]]
