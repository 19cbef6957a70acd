"""Items in the database: kept in step with the folder, never deleted."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, Select, bindparam, func, select, update

from lightbulb.records import Bools, Bytes, Float64s, Ints, Item, ItemId
from lightbulb.store.database import Database, chunks, now
from lightbulb.store.embeddings import as_hashes
from lightbulb.store.schema import facts, items

GONE = "the file is no longer there"
HOLDOUT_CUT = "holdout_cut"
POOL_ID = "pool_id"
ROWS_AT_ONCE = 10_000


class Found(Protocol):
    """A file as the scan sees it (see items/folder.py)."""

    @property
    def key(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...
    @property
    def problem(self) -> str | None: ...


@dataclass(frozen=True)
class Changes:
    """What a scan changed. restored: files that had vanished and are back."""

    added: int
    vanished: int
    changed: int
    restored: int


@dataclass(frozen=True)
class Holdout:
    """Which share of the items is held out: `fraction` of them, `most` at most, drawn by `seed`."""

    fraction: float
    most: int
    seed: int

    def draw(self, key: str) -> float:
        """Uniform in [0, 1), the same whenever and wherever the item is found."""
        digest = hashlib.blake2b(f"{self.seed}|{key}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


@dataclass(frozen=True)
class ItemColumns:
    """Every item, ids ascending, all aligned. broken: whether it cannot be used."""

    ids: Ints
    keys: tuple[str, ...]
    draws: Float64s
    held_out: Bools
    broken: Bools


class ItemStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def sync(self, found: Iterable[Found], holdout: Holdout, *, frontier: float = -1.0) -> Changes:
        """Brings the table in step with what the scan found. Nothing is ever deleted.

        frontier: largest draw of a held-out item that was asked about already; those stay held out.
        """
        with self._database.write() as connection:
            known = _Known.of(connection)
            ids, sizes, times, gone = (
                column.tolist() for column in (known.ids, known.sizes, known.times, known.gone)
            )
            seen = np.zeros(len(ids), dtype=np.bool_)
            added: dict[str, dict[str, Any]] = {}
            renewed, restored = [], 0
            for file in found:
                at = known.at.get(file.key)
                if at is None:
                    added.setdefault(file.key, _new_row(file, holdout))
                elif not seen[at]:
                    seen[at] = True
                    if sizes[at] != file.size or times[at] != file.mtime_ns or gone[at]:
                        renewed.append(_renewed_row(ids[at], file))
                        restored += gone[at]
            vanished = known.ids[~seen & ~known.gone].tolist()
            _insert(connection, list(added.values()))
            _renew(connection, renewed)
            _mark_gone(connection, vanished)
            _hold_out(connection, holdout, frontier, known, [row["draw"] for row in added.values()])
        return Changes(len(added), len(vanished), len(renewed) - restored, restored)

    def add_found(self, found: Sequence[Found], holdout: Holdout) -> list[Item]:
        """Makes items of files that just came, or of ones whose items had lost theirs; no other is looked at.

        Which of them are held out follows from the cut there is; the next `sync` may lower it.
        """
        with self._database.write() as connection:
            stored = connection.execute(select(facts.c.value).where(facts.c.name == HOLDOUT_CUT)).scalar()
            cut = holdout.fraction if stored is None else float(stored)
            ids: dict[str, ItemId] = {}
            for part in chunks([file.key for file in found]):
                query = select(items.c.key, items.c.id).where(items.c.key.in_(part))
                ids.update({row.key: row.id for row in connection.execute(query)})
            new = {file.key: _new_row(file, holdout) for file in found if file.key not in ids}
            _insert(connection, [{**row, "held_out": row["draw"] < cut} for row in new.values()])
            _renew(connection, [_renewed_row(ids[file.key], file) for file in found if file.key in ids])
        return list(self.get(self.ids_by_key([file.key for file in found]).values()).values())

    def add_missing(self, keys: Sequence[str], holdout: Holdout) -> None:
        """Items whose labels were imported but whose files are not there."""
        rows = [
            {
                "key": key, "size": 0, "mtime_ns": 0, "content": None, "broken": GONE,
                "draw": holdout.draw(key), "held_out": False, "added_at": now(),
            }
            for key in keys
        ]  # fmt: skip
        with self._database.write() as connection:
            _insert(connection, rows)

    def pool_id(self) -> str:
        """Random, made once: tells this database from any other of the same name."""
        with self._database.write() as connection:
            known = connection.execute(select(facts.c.value).where(facts.c.name == POOL_ID)).scalar()
            if known is None:
                known = uuid.uuid4().hex
                connection.execute(facts.insert().values(name=POOL_ID, value=known))
        return str(known)

    def all(self) -> list[Item]:
        """Every item, ids ascending."""
        columns = [items.c[name] for name in Item.__dataclass_fields__]
        with self._database.read() as connection:
            rows = connection.execute(select(*columns).order_by(items.c.id))
            return [Item(*row) for row in rows]

    def columns(self) -> ItemColumns:
        """What is asked of all items at once: far less than all of their rows."""
        columns = (items.c.id, items.c.key, items.c.draw, items.c.held_out, items.c.broken.is_not(None))
        with self._database.read() as connection:
            ids, keys, draws, held_out, broken = _columns(connection, select(*columns).order_by(items.c.id))
        return ItemColumns(
            ids=np.array(ids, dtype=np.int64),
            keys=tuple(keys),
            draws=np.array(draws, dtype=np.float64),
            held_out=np.array(held_out, dtype=np.bool_),
            broken=np.array(broken, dtype=np.bool_),
        )

    def contents(self) -> tuple[Ints, Bytes]:
        """Ids and content hashes of the items that were read: int64 (n,) ascending, uint8 (n, 32)."""
        query = select(items.c.id, items.c.content).where(items.c.content.is_not(None)).order_by(items.c.id)
        with self._database.read() as connection:
            ids, contents = _columns(connection, query)
        return np.array(ids, dtype=np.int64), as_hashes(bytes.fromhex("".join(contents)))

    def get(self, ids: Collection[ItemId]) -> dict[ItemId, Item]:
        columns = [items.c[name] for name in Item.__dataclass_fields__]
        found: dict[ItemId, Item] = {}
        with self._database.read() as connection:
            for part in chunks(list(ids)):
                for row in connection.execute(select(*columns).where(items.c.id.in_(part))):
                    found[row.id] = Item(*row)
        return found

    def ids_by_key(self, keys: Collection[str]) -> dict[str, ItemId]:
        found: dict[str, ItemId] = {}
        with self._database.read() as connection:
            for part in chunks(list(keys)):
                query = select(items.c.key, items.c.id).where(items.c.key.in_(part))
                found.update({row.key: row.id for row in connection.execute(query)})
        return found

    def ids_by_content(self, contents: Collection[str]) -> dict[str, ItemId]:
        """Content hash → an item that has it, of those that were read. It walks the table, once a call."""
        found: dict[str, ItemId] = {}
        with self._database.read() as connection:
            for part in chunks(list(contents)):
                query = select(items.c.content, items.c.id).where(items.c.content.in_(part))
                found.update({row.content: row.id for row in connection.execute(query)})
        return found

    def set_contents(self, contents: Mapping[ItemId, str], broken: Mapping[ItemId, str]) -> None:
        """What reading the files showed: their content hash, or why they can't be read.

        An item found broken stays so until a scan sees its file changed: it may have been read just before.
        """
        read = [{"at": item, "hash": content} for item, content in contents.items()]
        unreadable = [{"at": item, "reason": reason} for item, reason in broken.items()]
        this = items.c.id == bindparam("at")
        with self._database.write() as connection:
            if read:
                usable = update(items).where(this, items.c.broken.is_(None))
                connection.execute(usable.values(content=bindparam("hash")), read)
            if unreadable:
                failed = update(items).where(this)
                connection.execute(failed.values(content=None, broken=bindparam("reason")), unreadable)


@dataclass(frozen=True)
class _Known:
    """The items before a scan, aligned. at: key → position. times: mtime_ns. gone: without a file."""

    at: Mapping[str, int]
    ids: Ints
    sizes: Ints
    times: Ints
    gone: Bools
    draws: Float64s
    held_out: Bools

    @classmethod
    def of(cls, connection: Connection) -> _Known:
        gone = func.coalesce(items.c.broken == GONE, False)
        columns = (items.c.id, items.c.size, items.c.mtime_ns, items.c.draw, items.c.held_out)
        query = select(items.c.key, gone, *columns)
        keys, is_gone, ids, sizes, times, draws, held_out = _columns(connection, query)
        return cls(
            {key: at for at, key in enumerate(keys)},
            np.array(ids, dtype=np.int64),
            np.array(sizes, dtype=np.int64),
            np.array(times, dtype=np.int64),
            np.array(is_gone, dtype=np.bool_),
            np.array(draws, dtype=np.float64),
            np.array(held_out, dtype=np.bool_),
        )


def _columns(connection: Connection, query: Select[Any]) -> list[list[Any]]:
    """The result column by column, as the driver gives it: rows that know their names take five times longer.

    A part at a time, since a million rows at once would take a gigabyte.
    """
    columns: list[list[Any]] = [[] for _ in query.selected_columns]
    with connection.execute(query) as result:
        assert result.cursor is not None
        while rows := result.cursor.fetchmany(ROWS_AT_ONCE):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
    return columns


def _new_row(file: Found, holdout: Holdout) -> dict[str, Any]:
    return {
        "key": file.key, "size": file.size, "mtime_ns": file.mtime_ns, "content": None,
        "broken": file.problem, "draw": holdout.draw(file.key), "held_out": False, "added_at": now(),
    }  # fmt: skip


def _renewed_row(item: ItemId, file: Found) -> dict[str, Any]:
    return {"at": item, "size": file.size, "mtime_ns": file.mtime_ns, "broken": file.problem}


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(items.insert(), rows)


def _renew(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """A file that changed is read and encoded again: its content is unknown until then."""
    if rows:
        values: dict[str, Any] = {name: bindparam(name) for name in ("size", "mtime_ns", "broken")}
        statement = update(items).where(items.c.id == bindparam("at")).values(content=None, **values)
        connection.execute(statement, rows)


def _mark_gone(connection: Connection, ids: Sequence[ItemId]) -> None:
    for part in chunks(ids):
        connection.execute(update(items).where(items.c.id.in_(part)).values(broken=GONE))


def _hold_out(
    connection: Connection, holdout: Holdout, frontier: float, known: _Known, added: Sequence[float]
) -> None:
    """Sets `held_out` for items whose draw is below the cut.

    The cut is found at the first scan and only ever falls: raising it would call items held out that a
    query strategy has chosen. It never falls below the frontier: those were measured on already.
    added: draws of the items that were not known before.
    """
    draws = np.sort(np.concatenate([known.draws, added]))
    if not len(draws):
        return
    count = min(holdout.most, max(1, round(holdout.fraction * len(draws))))
    wanted = float(draws[count]) if count < len(draws) else 1.0
    stored = connection.execute(select(facts.c.value).where(facts.c.name == HOLDOUT_CUT)).scalar()
    cut = wanted if stored is None else min(float(stored), max(wanted, float(np.nextafter(frontier, 1.0))))
    if stored is None:
        connection.execute(facts.insert().values(name=HOLDOUT_CUT, value=repr(cut)))
    elif cut != float(stored):
        connection.execute(update(facts).where(facts.c.name == HOLDOUT_CUT).values(value=repr(cut)))
    if not len(added) and np.array_equal(known.held_out, known.draws < cut):
        return
    connection.execute(
        update(items).where(items.c.held_out != (items.c.draw < cut)).values(held_out=items.c.draw < cut)
    )
