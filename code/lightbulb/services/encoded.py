"""Which items have an embedding, and reading them: raw for a decoder, normalised for a query strategy."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from lightbulb.decoders.normalise import PoolStatistics, normalise
from lightbulb.records import Bools, Float32s, Ints, ItemId, positions_in
from lightbulb.services.catalog import CatalogView
from lightbulb.store.embeddings import EmbeddingCache
from lightbulb.store.items import ItemStore
from lightbulb.training.fit import Labelled
from lightbulb.training.near_duplicates import near_any
from lightbulb.training.pseudo_labels import SAMPLE

POOL_SAMPLE = 20_000  # rows that the pool's mean is taken from
AT_ONCE = 4096  # rows whose points are compared at once
FEWEST = 50  # embeddings below which the pool's mean would be too rough to go by


class EncodedPool:
    """Written by the learner's thread alone, read by any. Nothing is encoded before `open`.

    seen: content hashes of the items whose labels the encoder was tuned on. untuned: the items as it saw them
    before that; those that have joined since are missing.
    """

    def __init__(
        self, items: ItemStore, seed: int, *, seen: Sequence[str] = (), untuned: EncodedPool | None = None
    ) -> None:
        self._seen = seen
        self.untuned = untuned
        self._items = items
        self._seed = seed
        self._cache: EmbeddingCache | None = None
        self._ids: Ints = np.empty(0, dtype=np.int64)
        self._rows: Ints = np.empty(0, dtype=np.int64)
        self._statistics: PoolStatistics | None = None
        self._statistics_size = 0
        self._lock = threading.Lock()
        self._twins: dict[int, bool] = {}
        self._twins_of = (0, 0)
        self._waiting: Bools = np.empty(0, dtype=np.bool_)
        self.count = 0  # items that have an embedding
        self.n_pending = 0  # items that have to be encoded

    @property
    def cache(self) -> EmbeddingCache | None:
        return self._cache

    @property
    def pending(self) -> Ints:
        """Items that have to be encoded, int64 (n,) ascending."""
        return self._ids[self._waiting]

    def open(self, cache: EmbeddingCache, view: CatalogView) -> None:
        self._cache = cache
        self.take_stock(view)

    def take_stock(self, view: CatalogView) -> None:
        """After a scan: which items have a cached embedding, and which have to be encoded."""
        assert self._cache is not None
        if self.untuned is not None:
            self.untuned.take_stock(view)
        read, contents = self._items.contents()
        at = view.positions(read)
        rows = np.full(len(view.ids), -1, dtype=np.int64)
        rows[at[at >= 0]] = self._cache.rows_of(contents[at >= 0])
        rows[view.broken] = -1
        with self._lock:
            self._ids, self._rows = view.ids, rows
            self._waiting = (rows < 0) & ~view.broken
        self._twins_of = (-1, 0)
        self._tally()

    def add(self, contents: dict[ItemId, str], broken: Collection[ItemId]) -> None:
        """These items were read: content hash of each, whose embedding the cache has by now."""
        assert self._cache is not None
        self._rows[positions_in(self._ids, _ids(contents))] = self._cache.rows(list(contents.values()))
        self._waiting[positions_in(self._ids, _ids([*contents, *broken]))] = False
        self._tally()

    def _tally(self) -> None:
        self.count, self.n_pending = int((self._rows >= 0).sum()), int(self._waiting.sum())

    def rows(self, items: Ints) -> Ints:
        """Row of each item in the cache, -1 where it is not encoded. int64 (n,)."""
        with self._lock:
            ids, rows = self._ids, self._rows
        if items is ids:
            return rows.copy()
        if not len(ids):
            return np.full(len(items), -1, dtype=np.int64)
        at = positions_in(ids, items)
        return np.where(at >= 0, rows[at], -1)

    def item_with(self, content: str) -> ItemId | None:
        """An item whose file has this very content, as far as they were read."""
        if self._cache is None:
            return None
        row = int(self._cache.rows([content])[0])
        with self._lock:
            ids, rows = self._ids, self._rows
        at = np.flatnonzero(rows == row) if row >= 0 else np.empty(0, dtype=np.int64)
        return int(ids[at[0]]) if len(at) else None

    def embeddings(self, rows: Ints) -> Float32s:
        """Of rows of the cache, as the encoder gave them: float32 (n, dim)."""
        assert self._cache is not None
        return self._cache.read(rows).astype(np.float32)

    def points(self, rows: Ints) -> Float32s:
        """Of rows of the cache, as the decoder sees them: float32 (n, dim)."""
        return normalise(self.embeddings(rows), self.statistics())

    @property
    def ready(self) -> bool:
        """Whether there is enough to normalise by."""
        return self._cache is not None and self.count > 0 and (self.count >= FEWEST or not self.n_pending)

    def statistics(self) -> PoolStatistics:
        """Of the encoded pool; taken anew when it has grown by a tenth."""
        assert self._cache is not None
        with self._lock:
            size, found = self.count, self._statistics
            if found is not None and self._statistics_size <= size <= 1.1 * self._statistics_size:
                return found
            rows = self._rows[self._rows >= 0]
            size = len(rows)
            if size > POOL_SAMPLE:
                rows = np.sort(np.random.default_rng(self._seed).choice(rows, POOL_SAMPLE, replace=False))
            found = PoolStatistics.of(self.embeddings(rows))
            self._statistics, self._statistics_size = found, size
            return found

    def unseen(self, items: Ints) -> Bools:
        """Which items' labels the encoder was not tuned on, bool (n,)."""
        if self._cache is None or not self._seen:
            return np.ones(len(items), dtype=np.bool_)
        seen = self._cache.rows(self._seen)
        return ~np.isin(self.rows(items), seen[seen >= 0])

    def teaching(self, view: CatalogView) -> Bools:
        """What a model is fitted to: labelled, encoded, and no near-duplicate of a held-out item."""
        encoded = view.teaching & (self.rows(view.ids) >= 0)
        return encoded & ~self.twins_of_held_out(view, encoded)

    def measured(self, view: CatalogView) -> Bools:
        """Held-out items to measure on. One that the encoder was tuned on before it was held out is none."""
        measured = view.measured & (self.rows(view.ids) >= 0)
        at = np.flatnonzero(measured)
        measured[at] = self.unseen(view.ids[at])
        return measured

    def self_teaching(self, view: CatalogView) -> Bools:
        """What a model may teach itself with: nothing that is held out, and no near-duplicate of that."""
        free = (self.rows(view.ids) >= 0) & view.askable & ~view.held_out
        lots = np.where(free, view.draws, np.inf)  # a uniform sample, much the same from model to model
        chosen = np.argpartition(lots, SAMPLE)[:SAMPLE] if len(lots) > SAMPLE else np.arange(len(lots))
        sample = np.zeros(len(lots), dtype=np.bool_)
        sample[chosen] = free[chosen]
        return sample & ~self.twins_of_held_out(view, sample)

    def labelled(self, view: CatalogView, mask: Bools) -> Labelled:
        """The view's items in `mask`, which are labelled and encoded."""
        return Labelled(self.embeddings(self.rows(view.ids[mask])), view.labels[mask])

    def twins_of_held_out(self, view: CatalogView, mask: Bools) -> Bools:
        """Which of the view's items in `mask` are near-duplicates of a held-out item; bool, as the view.

        A model that has seen a copy of an item would do better on it than on new ones.
        """
        held_out = self.rows(view.ids[view.held_out])
        held_out = held_out[held_out >= 0]
        if not self.count:
            return np.zeros(len(view.ids), dtype=np.bool_)
        self.statistics()
        known_by = (len(held_out), self._statistics_size)  # points move when the pool's mean is taken anew
        if known_by != self._twins_of:
            self._twins, self._twins_of = {}, known_by
        found = np.zeros(len(view.ids), dtype=np.bool_)
        at = np.flatnonzero(mask)
        rows = self.rows(view.ids[at])
        new = np.array([row for row in rows.tolist() if row >= 0 and row not in self._twins], dtype=np.int64)
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            alike = near_any(self.points(some), self.points(held_out))
            self._twins.update(zip(some.tolist(), alike.tolist(), strict=True))
        found[at] = [self._twins.get(row, False) for row in rows.tolist()]
        return found


def _ids(items: Iterable[ItemId]) -> Ints:
    return np.fromiter(items, dtype=np.int64)
