"""An item's bytes by id. A file that turns out unreadable is marked broken here, and never shown."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from lightbulb.errors import InputError, NotFound
from lightbulb.items.image import decode, fits, media_type, thumbnail
from lightbulb.records import Item, ItemId
from lightbulb.services.catalog import Catalog
from lightbulb.store.items import ItemStore

WHOLE_BYTES = 500_000  # files of more are scaled, however few pixels they have: animations, for instance


class Media:
    """locate: the file of an item's key. max_pixels: width x height of the largest picture opened."""

    def __init__(
        self, locate: Callable[[str], Path], items: ItemStore, catalog: Catalog, *, max_pixels: float
    ) -> None:
        self._locate = locate
        self._items = items
        self._catalog = catalog
        self._max_pixels = max_pixels
        self._verified: set[tuple[str, int, int]] = set()
        self._lock = threading.Lock()

    def usable(self, items: Collection[ItemId]) -> list[ItemId]:
        """Those that can be shown. The first time a file is asked about, it is decoded whole."""
        records = self._items.get(items)  # in one query: a busy learner's thread is waited for once
        return [item for item in items if item in records and self._usable(records[item])]

    def _usable(self, record: Item) -> bool:
        if record.broken is not None:
            return False
        item = record.id
        try:
            status = self._path(record).stat()
        except OSError as error:
            self.mark_broken(item, f"cannot be read: {error.strerror}")
            return False
        version = (record.key, status.st_size, status.st_mtime_ns)
        unchanged = (status.st_size, status.st_mtime_ns) == (record.size, record.mtime_ns)
        if (record.content is not None and unchanged) or version in self._verified:
            return True
        try:
            decode(self._path(record).read_bytes(), max_pixels=self._max_pixels)
        except (InputError, OSError) as error:
            self.mark_broken(item, str(error))
            return False
        with self._lock:
            self._verified.add(version)
        return True

    def original(self, item: ItemId) -> tuple[bytes, str]:
        """(the file's bytes, its MIME type). Raises: NotFound, saying why, if it can't be shown."""
        data = self._read(item)
        return self._or_broken(item, lambda: (data, media_type(data)))

    def thumbnail(self, item: ItemId, width: int) -> tuple[bytes, str]:
        """(a picture at most `width` pixels wide and high, its MIME type). Raises: NotFound.

        The file itself where it is small enough: sharper than another JPEG of it, and no work.
        """
        data = self._read(item)

        def make() -> tuple[bytes, str]:
            if len(data) <= WHOLE_BYTES and fits(data, width):
                return data, media_type(data)
            return thumbnail(data, width, max_pixels=self._max_pixels), "image/jpeg"

        return self._or_broken(item, make)

    def thumbnails(self, items: Collection[ItemId], width: int) -> dict[ItemId, tuple[bytes, str]]:
        """As `thumbnail`, of many; what cannot be shown is left out."""
        made = {}
        for item in items:
            with contextlib.suppress(NotFound):
                made[item] = self.thumbnail(item, width)
        return made

    def version(self, item: ItemId) -> str:
        """Changes when the file does: for ETag. Raises: NotFound."""
        key = self._key(item)
        try:
            status = self._locate(key).stat()
        except OSError as error:
            self.mark_broken(item, f"cannot be read: {error.strerror}")
            raise self._gone(item, key, str(error.strerror)) from error
        return f"{item}-{status.st_size:x}-{status.st_mtime_ns:x}"

    def mark_broken(self, item: ItemId, reason: str) -> None:
        self._items.set_contents({}, {item: reason})
        self._catalog.mark_broken({item: reason})

    def _key(self, item: ItemId) -> str:
        """From memory: a page of thumbnails is a hundred requests at once. Raises: NotFound."""
        view = self._catalog.view
        at = int(view.positions([item])[0])
        if at >= 0 and not view.broken[at]:
            return view.keys[at]
        record = self._items.get([item]).get(item)
        if record is None:
            raise NotFound(f"there is no item {item}", code="unknown_item", details=[{"item": item}])
        if record.broken is not None:
            raise self._gone(item, record.key, record.broken)
        return record.key

    def _read(self, item: ItemId) -> bytes:
        key = self._key(item)
        try:
            return self._locate(key).read_bytes()
        except OSError as error:
            self.mark_broken(item, f"cannot be read: {error.strerror}")
            raise self._gone(item, key, str(error.strerror)) from error

    def _or_broken(self, item: ItemId, make: Callable[[], tuple[bytes, str]]) -> tuple[bytes, str]:
        try:
            return make()
        except InputError as error:
            self.mark_broken(item, error.message)
            raise self._gone(item, self._record_key(item), error.message) from error

    def _record_key(self, item: ItemId) -> str:
        return self._items.get([item])[item].key

    def _path(self, record: Item) -> Path:
        return self._locate(record.key)

    def _gone(self, item: ItemId, key: str, reason: str) -> NotFound:
        return NotFound(
            f"{key} cannot be shown: {reason}", code="broken_item", details=[{"item": item, "reason": reason}]
        )
