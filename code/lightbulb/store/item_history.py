"""What became of one item: every label it was given, by whom and when, and every flag."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from lightbulb.records import ActionKind, Flag, ItemId, Source
from lightbulb.store.database import Database
from lightbulb.store.schema import Verdict, actions, batch_items, batches, current_labels, flags, labels


@dataclass(frozen=True)
class PastLabel:
    """One row of `labels`. value None: skipped, or its label taken off (by `kind`). undone_at: None if it
    stands. in_force: this row is the item's label now.
    """

    action: int
    kind: ActionKind
    value: str | None
    source: Source
    annotator: str
    created_at: datetime
    seconds: float | None
    undone_at: datetime | None
    in_force: bool


@dataclass(frozen=True)
class Refusal:
    """A person said in a batch that the item is not of this class."""

    action: int
    label: str
    annotator: str
    created_at: datetime
    undone_at: datetime | None


class ItemHistory:
    def __init__(self, database: Database) -> None:
        self._database = database

    def labels(self, item: ItemId) -> list[PastLabel]:
        """The newest first."""
        undoing = actions.alias("undoing")
        query = (
            select(
                labels.c.action, actions.c.kind, labels.c.value, labels.c.source, actions.c.annotator,
                actions.c.created_at, labels.c.seconds, undoing.c.created_at.label("undone_at"),
                (current_labels.c.label == labels.c.id).label("in_force"),
            )
            .select_from(labels)
            .join(actions, actions.c.id == labels.c.action)
            .outerjoin(undoing, undoing.c.undoes == actions.c.id)
            .outerjoin(current_labels, current_labels.c.label == labels.c.id)
            .where(labels.c.item == item)
            .order_by(labels.c.id.desc())
        )  # fmt: skip
        with self._database.read() as connection:
            return [
                PastLabel(
                    row.action, ActionKind(row.kind), row.value, Source(row.source), row.annotator,
                    row.created_at, row.seconds, row.undone_at, bool(row.in_force),
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def refusals(self, item: ItemId) -> list[Refusal]:
        """The newest first."""
        undoing = actions.alias("undoing")
        query = (
            select(
                actions.c.id, batches.c.label, actions.c.annotator, actions.c.created_at,
                undoing.c.created_at.label("undone_at"),
            )
            .select_from(batch_items)
            .join(batches, batches.c.id == batch_items.c.batch)
            .join(actions, actions.c.id == batches.c.action)
            .outerjoin(undoing, undoing.c.undoes == actions.c.id)
            .where(batch_items.c.item == item, batch_items.c.verdict == Verdict.REJECTED)
            .order_by(actions.c.id.desc())
        )  # fmt: skip
        with self._database.read() as connection:
            return [Refusal(*row) for row in connection.execute(query)]

    def flags(self, item: ItemId) -> list[tuple[Flag, bool]]:
        """(flag, whether it was put on rather than taken off), the newest first."""
        query = select(flags).where(flags.c.item == item).order_by(flags.c.id.desc())
        with self._database.read() as connection:
            return [
                (Flag(row.item, row.note or "", row.annotator, row.created_at), row.note is not None)
                for row in connection.execute(query)
            ]
