"""How alike all items are to one of them: exact, over every embedding in the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightbulb.decoders.normalise import PoolStatistics, Projection
from lightbulb.errors import NotFound, NotReady
from lightbulb.records import Float32s, Ints, ItemId
from lightbulb.services.catalog import CatalogView
from lightbulb.services.encoded import EncodedPool

AT_ONCE = 16_384  # embeddings in memory at a time


@dataclass(frozen=True)
class _Known:
    """What the last answer holds for: further pages of it cost nothing."""

    item: ItemId
    ids: Ints
    pool: EncodedPool
    encoded: int
    similarities: Float32s


class Likeness:
    def __init__(self, encoded: Callable[[], EncodedPool]) -> None:
        self._encoded = encoded
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def to(self, item: ItemId, view: CatalogView) -> Float32s:
        """Cosine of each item's point (its embedding as a decoder sees it) to this one's, float32 (n,)
        aligned with the view; NaN where an item is not encoded.

        Raises: NotFound for an unknown item; NotReady while it is not encoded.
        """
        if view.positions([item])[0] < 0:
            raise NotFound(f"there is no item {item}", code="unknown_item", details=[{"item": item}])
        with self._lock:
            pool, known = self._encoded(), self._known
            if (
                known is None
                or (known.item, known.encoded) != (item, pool.count)
                or known.ids is not view.ids
                or known.pool is not pool
            ):
                count = pool.count
                known = self._known = _Known(item, view.ids, pool, count, _compare(pool, item, view))
            return known.similarities


def _compare(pool: EncodedPool, item: ItemId, view: CatalogView) -> Float32s:
    own = pool.rows(np.array([item], dtype=np.int64))
    if own[0] < 0 or not pool.ready:
        raise NotReady(f"item {item} has not been encoded yet; try again in a moment", code="not_encoded")
    statistics = pool.statistics()
    point = pool.points(own)[0]
    rows = pool.rows(view.ids)
    at = np.flatnonzero(rows >= 0)
    at = at[np.argsort(rows[at], kind="stable")]  # in the order they lie on disk
    found = np.full(len(rows), np.nan, dtype=np.float32)
    for start in range(0, len(at), AT_ONCE):
        part = at[start : start + AT_ONCE]
        found[part] = _cosines(pool.embeddings(rows[part]), point, statistics)
    return found


def _cosines(embeddings: Float32s, point: Float32s, statistics: PoolStatistics) -> Float32s:
    """Of normalised embeddings (n, dim) with a point (dim,); without keeping them normalised: float32 (n,).

    A unit vector u becomes the point s(u - m), so |u - m|² = 1 - 2 (u - m)·m - m·m.
    """
    mean, scale = statistics.mean, np.float32(statistics.scale)
    along = Projection(statistics, np.stack([point, mean], axis=1))(embeddings)
    lengths = scale * np.sqrt(np.maximum(1 - 2 * along[:, 1] / scale - mean @ mean, 1e-12))
    return np.clip(along[:, 0] / (lengths * max(float(np.linalg.norm(point)), 1e-12)), -1, 1)
