"""Items in the database: kept in step with the folder, never deleted."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, bindparam, func, select, update

from lightbulb.records import Item, ItemId
from lightbulb.store.database import Database, chunks, now
from lightbulb.store.schema import facts, items

GONE = "the file is no longer there"
HOLDOUT_CUT = "holdout_cut"
POOL_ID = "pool_id"


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


class ItemStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def sync(self, found: Iterable[Found], holdout: Holdout, *, frontier: float = -1.0) -> Changes:
        """Brings the table in step with what the scan found. Nothing is ever deleted.

        frontier: largest draw of a held-out item that was asked about already; those stay held out.
        """
        with self._database.write() as connection:
            known = {
                row.key: row
                for row in connection.execute(
                    select(items.c.id, items.c.key, items.c.size, items.c.mtime_ns, items.c.broken)
                )
            }
            added, renewed, restored, seen = [], [], 0, set()
            for file in found:
                if file.key in seen:
                    continue
                seen.add(file.key)
                row = known.get(file.key)
                if row is None:
                    added.append(_new_row(file, holdout))
                elif (row.size, row.mtime_ns) != (file.size, file.mtime_ns) or row.broken == GONE:
                    renewed.append(_renewed_row(row.id, file))
                    restored += row.broken == GONE
            gone = [row.id for row in known.values() if row.key not in seen and row.broken != GONE]
            _insert(connection, added)
            _renew(connection, renewed)
            _mark_gone(connection, gone)
            _hold_out(connection, holdout, frontier)
        return Changes(len(added), len(gone), len(renewed) - restored, restored)

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

    def search(
        self, *, text: str = "", only: Collection[ItemId] | None = None, offset: int = 0, limit: int = 100
    ) -> tuple[int, list[Item]]:
        """(how many match, one page of them by key). text: part of the key. only: these ids, ascending."""
        columns = [items.c[name] for name in Item.__dataclass_fields__]
        condition = items.c.key.icontains(text, autoescape=True) if text else items.c.id.is_not(None)
        with self._database.read() as connection:
            if only is None:
                total = connection.execute(
                    select(func.count()).select_from(items).where(condition)
                ).scalar_one()
                query = select(*columns).where(condition).order_by(items.c.key).offset(offset).limit(limit)
                return total, [Item(*row) for row in connection.execute(query)]
            matching = list(only)
            if text:
                wanted = set(matching)
                rows = connection.execute(select(items.c.id).where(condition).order_by(items.c.id))
                matching = [row.id for row in rows if row.id in wanted]
            page = matching[offset : offset + limit]
        by_id = self.get(page)
        return len(matching), [by_id[item] for item in page if item in by_id]

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


def _hold_out(connection: Connection, holdout: Holdout, frontier: float) -> None:
    """Sets `held_out` for items whose draw is below the cut.

    The cut is found at the first scan and only ever falls: raising it would call items held out that a
    query strategy has chosen. It never falls below the frontier: those were measured on already.
    """
    draws = np.sort(np.array([row.draw for row in connection.execute(select(items.c.draw))]))
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
    connection.execute(
        update(items).where(items.c.held_out != (items.c.draw < cut)).values(held_out=items.c.draw < cut)
    )
