"""Flags on items: saved first, then kept in memory, since every page of items asks for them."""

from __future__ import annotations

import threading

import numpy as np

from lightbulb.errors import NotFound
from lightbulb.records import Flag, Ints, ItemId
from lightbulb.services.catalog import Catalog
from lightbulb.store.flags import FlagStore


class Flagging:
    def __init__(self, catalog: Catalog, flags: FlagStore, annotator: str) -> None:
        self._catalog = catalog
        self._flags = flags
        self._annotator = annotator
        self._lock = threading.Lock()
        self._current = flags.current()

    def put(self, item: ItemId, note: str) -> Flag:
        """Flags the item, or changes its note; the same note again changes nothing.

        Raises: NotFound for an unknown item.
        """
        with self._lock:
            self._refuse_unknown(item)
            flag = self._current.get(item)
            if flag is None or flag.note != note:
                flag = self._flags.put(item, note, self._annotator)
                self._current[item] = flag
            return flag

    def take_off(self, item: ItemId) -> None:
        """Without a flag on the item nothing changes. Raises: NotFound for an unknown item."""
        with self._lock:
            self._refuse_unknown(item)
            if item in self._current:
                self._flags.take_off(item, self._annotator)
                del self._current[item]

    def of(self, item: ItemId) -> Flag | None:
        return self._current.get(item)

    def items(self) -> Ints:
        """The flagged items, int64 (n,) ascending."""
        with self._lock:
            return np.array(sorted(self._current), dtype=np.int64)

    def _refuse_unknown(self, item: ItemId) -> None:
        if self._catalog.view.positions([item])[0] < 0:
            raise NotFound(f"there is no item {item}", code="unknown_item", details=[{"item": item}])
