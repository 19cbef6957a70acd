"""Fills a pool with what its encoder makes of the items' files, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import structlog

from lightbulb.encoders import Encoder
from lightbulb.encoders.embed import EncodedChunk, encode_files
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.store.items import ItemStore

log = structlog.get_logger()

SLICE = 128  # files between two looks at whether labelled items wait to be encoded


class Encoding:
    """locate: the file of an item's key."""

    def __init__(
        self, locate: Callable[[str], Path], catalog: Catalog, items: ItemStore, *, seed: int
    ) -> None:
        self._locate = locate
        self._catalog = catalog
        self._items = items
        self._seed = seed
        self._stream: Generator[EncodedChunk, None, None] | None = None
        self._pool: EncodedPool | None = None  # that the stream is for

    def begin_anew(self) -> None:
        """The items, or their order of importance, are others now; or nothing more is to be encoded."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def step(self, pool: EncodedPool, encoder: Encoder, view: CatalogView) -> int:
        """Encodes some of what an open pool lacks. Returns how many items came; 0 between two slices."""
        if self._stream is None or self._pool is not pool:
            self._stream, self._pool = self._new_stream(pool, encoder, view), pool
        chunk = next(self._stream, None)
        if chunk is None:
            self._stream = None
            return 0
        assert pool.cache is not None
        pool.cache.append(chunk.new, chunk.embeddings)
        self._items.set_contents(chunk.contents, chunk.broken)
        self._catalog.mark_broken(chunk.broken)
        for item, reason in chunk.broken.items():
            log.warning("item.broken", item=item, reason=reason)
        pool.add(chunk.contents, chunk.broken)
        return len(chunk.contents)

    def _new_stream(
        self, pool: EncodedPool, encoder: Encoder, view: CatalogView
    ) -> Generator[EncodedChunk, None, None]:
        """The next slice to encode: what is labelled already first, then in random order.

        A random order makes what is encoded so far a sample of the whole, in whatever order files lie.
        """
        assert pool.cache is not None
        at = view.positions(pool.pending)
        turns = np.random.default_rng(self._seed).permutation(len(view.ids))
        turns[view.labelled] -= len(turns)
        many = min(len(at), max(SLICE, 2 * encoder.batch))
        next_ones = np.argpartition(turns[at], many - 1)[:many]
        order = next_ones[np.argsort(turns[at[next_ones]])]
        files = [(int(view.ids[position]), self._locate(view.keys[position])) for position in at[order]]
        return encode_files(encoder, files, cached=pool.cache.__contains__)
