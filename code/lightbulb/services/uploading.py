"""Files that a person adds from the browser: checked as those on disk are, written whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from lightbulb.encoders.embed import content_hash
from lightbulb.errors import Conflict, InputError, UnreadableImage
from lightbulb.files import write_atomically
from lightbulb.items.folder import FoundFile
from lightbulb.items.image import decode
from lightbulb.records import Item, ItemId
from lightbulb.services.catalog import Catalog
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.labeling import Changes
from lightbulb.services.naming import numbered, safe_key
from lightbulb.store.items import Holdout, ItemStore

log = structlog.get_logger()


@dataclass(frozen=True)
class SentFile:
    """name: as the browser gives it, with its folders."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Upload:
    """What became of a file. result: added; known, if the pool has its very content already; refused.

    key, item: its own, or those of the item that has its content. problem: why it was refused.
    """

    name: str
    result: str
    key: str | None = None
    item: ItemId | None = None
    problem: str | None = None


class Uploading:
    """root: the dataset's folder. suffixes: of the files that are items there."""

    def __init__(
        self,
        root: Path,
        suffixes: frozenset[str],
        items: ItemStore,
        catalog: Catalog,
        encoded: Callable[[], EncodedPool],
        changes: Changes,
        holdout: Holdout,
        *,
        allowed: bool,
        follow_links: bool,
        max_bytes: float,
        max_pixels: float,
    ) -> None:
        self._root = root
        self._suffixes = suffixes
        self._items = items
        self._catalog = catalog
        self._encoded = encoded
        self._changes = changes
        self._holdout = holdout
        self._allowed = allowed
        self._follow_links = follow_links
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._written: dict[str, str] = {}  # content hash → key, of what is not encoded yet

    @property
    def allowed(self) -> bool:
        return self._allowed

    def add(self, files: Sequence[SentFile]) -> list[Upload]:
        """Writes what can be an item into the folder and makes it one; what became of each, in order.

        Raises: Conflict if uploads are switched off, or the folder cannot be written to.
        """
        if not self._allowed:
            raise Conflict("adding files is switched off (server.uploads)", code="uploads_off")
        with self._lock:
            uploads: list[Upload] = []
            contents = [content_hash(file.data) for file in files]
            stored = self._stored(contents)
            try:
                for file, content in zip(files, contents, strict=True):
                    uploads.append(self._add_one(file, content, stored.get(content)))
            finally:  # what was written before the disk was full is an item all the same
                added = [one.key for one in uploads if one.result == "added" and one.key is not None]
                items = self._make_items(added)
        return [
            Upload(one.name, one.result, one.key, items[one.key].id) if one.key in items else one
            for one in uploads
        ]

    def _stored(self, contents: Sequence[str]) -> dict[str, ItemId]:
        """Items by content, where the pool does not know them all: another encoder has yet to see some."""
        pool = self._encoded()
        if pool.cache is not None and not pool.n_pending:
            return {}
        return self._items.ids_by_content(contents)

    def _add_one(self, file: SentFile, content: str, stored: ItemId | None) -> Upload:
        """content: its hash. stored: the item that the database knows to have it."""
        try:
            key = self._check(file)
        except InputError as error:
            return Upload(file.name, "refused", problem=error.message)
        known = self._key_of(content, file.data, stored)
        if known is not None:
            item = self._items.ids_by_key([known]).get(known)
            return Upload(file.name, "known", known, item)
        number = 1
        wanted = key
        while os.path.lexists(self._root / wanted):  # a link that leads nowhere is no free name either
            if _has(self._root / wanted, file.data):
                return Upload(file.name, "known", wanted, self._items.ids_by_key([wanted]).get(wanted))
            number += 1
            wanted = numbered(key, number)
        self._write(wanted, file.data)
        self._written[content] = wanted
        return Upload(file.name, "added", wanted)

    def _check(self, file: SentFile) -> str:
        """The key to write it to. Raises: InputError, saying why it cannot be an item."""
        key = safe_key(file.name)
        if not key or Path(key).suffix.lower() not in self._suffixes:
            known = ", ".join(sorted(suffix.removeprefix(".") for suffix in self._suffixes))
            raise InputError(f"not a kind of file that is labelled here (known: {known})")
        if len(file.data) > self._max_bytes:
            raise InputError(f"larger than the limit of {self._max_bytes / 1e6:g} megabytes")
        target = Path(os.path.realpath((self._root / key).parent))  # resolve() fails on a link to itself
        if not self._follow_links and not target.is_relative_to(self._root.resolve()):
            raise InputError("its folder is a link out of the dataset folder (see dataset.follow_links)")
        if (taken := self._no_folder_on_the_way(key)) is not None:
            raise InputError(f"its folder cannot be made: {taken} is there already, and no folder")
        try:
            decode(file.data, max_pixels=self._max_pixels)
        except UnreadableImage as error:
            raise InputError(error.message) from error
        return key

    def _no_folder_on_the_way(self, key: str) -> str | None:
        """What has the name of a folder that the key needs, as a key; None if nothing is in the way."""
        for folder in reversed(Path(key).parents):
            path = self._root / folder
            if os.path.lexists(path) and not path.is_dir():  # a link that leads nowhere as well
                return folder.as_posix()
        return None

    def _key_of(self, content: str, data: bytes, stored: ItemId | None) -> str | None:
        """The item that has this very content, if its file is still there and was not changed since."""
        key = self._written.get(content)
        if key is None:
            item = self._encoded().item_with(content) if stored is None else stored
            view = self._catalog.view
            at = -1 if item is None else int(view.positions([item])[0])
            key = view.keys[at] if at >= 0 and not view.broken[at] else None
        return key if key is not None and _has(self._root / key, data) else None

    def _write(self, key: str, data: bytes) -> None:
        try:
            write_atomically(self._root / key, data)
        except OSError as error:
            log.error("upload.failed", key=key, error=str(error))
            raise Conflict(
                f"{key} cannot be written into the dataset folder {self._root}: {error.strerror or error}",
                code="cannot_write",
            ) from error

    def _make_items(self, keys: Sequence[str]) -> dict[str, Item]:
        """Items of the files just written, by key."""
        if not keys:
            return {}
        found = []
        for key in keys:
            status = (self._root / key).stat()
            found.append(FoundFile(key, status.st_size, status.st_mtime_ns))
        with self._changes.lock:
            items = self._items.add_found(found, self._holdout)
            self._catalog.take_in(items)
            self._changes.announce()
        return {item.key: item for item in items}


def _has(path: Path, data: bytes) -> bool:
    """Whether the file's content is just this."""
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
