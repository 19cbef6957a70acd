"""Flags on items: append-only rows, of which each item's last one counts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from lightbulb.records import Flag, ItemId
from lightbulb.store.database import Database, now
from lightbulb.store.schema import flags


class FlagStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, item: ItemId, note: str, annotator: str) -> Flag:
        """Flags an item that exists; its earlier flag, if any, stays in the table."""
        flag = Flag(item, note, annotator, now())
        self._append(item, note, annotator, flag.created_at)
        return flag

    def put_many(self, items: Sequence[ItemId], note: str | None, annotator: str) -> list[Flag]:
        """Flags items that exist, all or none; note None takes their flags off."""
        when = now()
        rows = [{"item": item, "note": note, "annotator": annotator, "created_at": when} for item in items]
        with self._database.write() as connection:
            if rows:
                connection.execute(flags.insert(), rows)
        return [] if note is None else [Flag(item, note, annotator, when) for item in items]

    def take_off(self, item: ItemId, annotator: str) -> None:
        self._append(item, None, annotator, now())

    def current(self) -> dict[ItemId, Flag]:
        """The flags that were not taken off, by item."""
        last = select(func.max(flags.c.id)).group_by(flags.c.item)
        query = select(flags).where(flags.c.id.in_(last), flags.c.note.is_not(None))
        with self._database.read() as connection:
            rows = connection.execute(query)
            return {row.item: Flag(row.item, row.note, row.annotator, row.created_at) for row in rows}

    def _append(self, item: ItemId, note: str | None, annotator: str, created_at: object) -> None:
        values = {"item": item, "note": note, "annotator": annotator, "created_at": created_at}
        with self._database.write() as connection:
            connection.execute(flags.insert().values(values))
