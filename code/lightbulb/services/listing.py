"""Finding items by key among a million, for the Dataset page: nothing here walks a table."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from lightbulb.records import Bools, Bytes, Ints
from lightbulb.services.catalog import CatalogView


@dataclass(frozen=True)
class KeyIndex:
    """order: positions of the keys in the order of their bytes, int64 (n,).

    text: all keys in UTF-8 with small ASCII letters, a zero byte after each. ends: where these lie, (n,).
    common: how often each byte is in the text, (256,).
    """

    order: Ints
    text: Bytes
    ends: Ints
    common: Ints

    @classmethod
    def of(cls, keys: tuple[str, ...]) -> KeyIndex:
        order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
        joined = "\0".join([*keys, ""]).encode().lower()
        text = np.frombuffer(joined, dtype=np.uint8)
        return cls(order, text, np.flatnonzero(text == 0), np.bincount(text, minlength=256))

    def matching(self, wanted: str) -> Bools:
        """Which keys have the text in them, whatever the case of ASCII letters; bool (n,)."""
        pattern = np.frombuffer(wanted.encode().lower(), dtype=np.uint8)
        found = np.zeros(len(self.ends), dtype=np.bool_)
        first, *others = np.argsort(self.common[pattern], kind="stable")  # the rarest byte leaves the fewest
        at = np.flatnonzero(self.text == pattern[first]) - first
        at = at[(at >= 0) & (at + len(pattern) <= len(self.text))]
        for offset in others:
            at = at[self.text[at + offset] == pattern[offset]]
        found[np.searchsorted(self.ends, at)] = True
        return found


class Listing:
    """The index of the catalog's present keys, and the last search: its further pages cost nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: tuple[str, ...] | None = None
        self._index = KeyIndex.of(())
        self._found: tuple[str, Bools] | None = None

    def by_key(self, view: CatalogView) -> Ints:
        """Positions of all items, ordered by key. int64 (n,)."""
        return self._index_of(view).order

    def matching(self, view: CatalogView, text: str) -> Bools:
        """Which items have the text in their key; bool (n,)."""
        index = self._index_of(view)
        with self._lock:
            known = self._found
        if known is not None and known[0] == text and len(known[1]) == len(view.keys):
            return known[1]
        found = index.matching(text)
        with self._lock:
            self._found = (text, found) if self._index is index else None
        return found

    def _index_of(self, view: CatalogView) -> KeyIndex:
        with self._lock:
            if self._keys is not view.keys:
                self._keys, self._index, self._found = view.keys, KeyIndex.of(view.keys), None
            return self._index
