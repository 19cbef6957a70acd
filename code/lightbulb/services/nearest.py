"""The labelled items that are most like an image: what a model that errs on it may have gone by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightbulb.decoders.normalise import normalise
from lightbulb.records import Float16s, Float32s, ItemId
from lightbulb.services.catalog import Catalog
from lightbulb.services.encoded import EncodedPool
from lightbulb.training.near_duplicates import unit_length

AT_ONCE = 8192  # rows that are compared in one product


@dataclass(frozen=True)
class Neighbour:
    """similarity: cosine of the two points, embeddings as the decoder sees them, -1 to 1."""

    item: ItemId
    key: str
    label: str
    similarity: float


class Nearest:
    def __init__(self, catalog: Catalog, encoded: Callable[[], EncodedPool]) -> None:
        self._catalog = catalog
        self._encoded = encoded

    def find(self, embeddings: Float16s, fingerprint: str, count: int) -> list[list[Neighbour]] | None:
        """Of each image the `count` labelled items most like it, the likest first: exact, among all.

        embeddings: float16 (n, dim), by the encoder of that fingerprint. None while the pool is not encoded
        by the same.
        """
        pool = self._encoded()  # once: rows of one pool mean nothing in another
        cache = pool.cache
        if cache is None or cache.fingerprint != fingerprint or not pool.count:
            return None
        view = self._catalog.view
        at = np.flatnonzero(view.labelled & ~view.broken)
        rows = pool.rows(view.ids[at])
        at, rows = at[rows >= 0], rows[rows >= 0]
        points = unit_length(normalise(embeddings.astype(np.float32), pool.statistics()))
        similarity = np.empty((len(points), len(rows)), dtype=np.float32)
        for start in range(0, len(rows), AT_ONCE):
            some = unit_length(pool.points(rows[start : start + AT_ONCE]))
            similarity[:, start : start + AT_ONCE] = points @ some.T
        classes = self._catalog.classes

        def neighbour(position: int, alike: float) -> Neighbour:
            return Neighbour(
                int(view.ids[position]), view.keys[position], classes[view.labels[position]], min(1.0, alike)
            )

        return [
            [neighbour(at[one], float(alike[one])) for one in nearest(alike, count)] for alike in similarity
        ]


def nearest(similarity: Float32s, count: int) -> list[int]:
    """Positions of the largest, in falling order; of equals the first. similarity: float32 (n,)."""
    if len(similarity) > count:
        least = np.partition(similarity, -count)[-count]
        candidates = np.flatnonzero(similarity >= least)
    else:
        candidates = np.arange(len(similarity))
    return [int(one) for one in candidates[np.argsort(-similarity[candidates], kind="stable")][:count]]
