"""From a strategy's choice to the ids to ask about."""

from __future__ import annotations

import numpy as np

from lightbulb.querying import Pool, QueryStrategy
from lightbulb.records import Ints, ItemId

FROM_A_MODEL = frozenset({"probs", "votes"})


def select(strategy: QueryStrategy, pool: Pool, count: int, rng: np.random.Generator) -> list[ItemId]:
    """Up to `count` ids, best first, none twice.

    Items the model has not scored yet come last, at random: nothing is known of them. So it is with all
    items while a strategy that needs a model or embeddings has none.
    """
    count = min(count, len(pool))
    known = _rows_known(strategy, pool)
    picked = strategy.query(pool.of(known), count, rng) if len(known) and count > 0 else known[:0]
    chosen = known[picked]
    if len(chosen) < count:
        rest = np.setdiff1d(np.arange(len(pool)), chosen)
        chosen = np.concatenate([chosen, rng.permutation(rest)[: count - len(chosen)]])
    return [int(item) for item in pool.item_ids[chosen]]


def _rows_known(strategy: QueryStrategy, pool: Pool) -> Ints:
    """Rows of which the pool has all that the strategy needs, int64 (k,)."""
    available = {"probs": pool.probs, "votes": pool.votes, "points": pool.points}
    if any(available[need] is None for need in strategy.needs):
        return np.empty(0, dtype=np.int64)
    known = np.ones(len(pool), dtype=np.bool_)
    if pool.probs is not None and FROM_A_MODEL & strategy.needs:
        known &= np.isfinite(pool.probs.sum(axis=1))
    if pool.encoded is not None and "points" in strategy.needs:
        known &= pool.encoded
    return np.flatnonzero(known)
