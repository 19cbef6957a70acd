"""Flags on items: saved first, then kept in memory, since every page of items asks for them."""

from __future__ import annotations

import threading
from collections.abc import Collection

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

    def put_many(self, items: Collection[ItemId], note: str | None) -> int:
        """Flags these items, or with None takes their flags off; says how many that changed.

        Raises: NotFound for an unknown item; then none is changed.
        """
        with self._lock:
            for item in items:
                self._refuse_unknown(item)
            changing = [item for item in dict.fromkeys(items) if self._note_of(item) != note]
            flags = self._flags.put_many(changing, note, self._annotator)
            for item in changing:
                self._current.pop(item, None)
            self._current.update({flag.item: flag for flag in flags})
        return len(changing)

    def _note_of(self, item: ItemId) -> str | None:
        flag = self._current.get(item)
        return flag.note if flag else None

    def of(self, item: ItemId) -> Flag | None:
        return self._current.get(item)

    def items(self) -> Ints:
        """The flagged items, int64 (n,) ascending."""
        with self._lock:
            return np.array(sorted(self._current), dtype=np.int64)

    def _refuse_unknown(self, item: ItemId) -> None:
        if self._catalog.view.positions([item])[0] < 0:
            raise NotFound(f"there is no item {item}", code="unknown_item", details=[{"item": item}])
