"""What changes of labels are made of, each step inside its transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select

from lightbulb.errors import NotFound
from lightbulb.records import ActionKind, ItemId, Source
from lightbulb.store.database import chunks, inserted_id, now
from lightbulb.store.schema import Verdict, actions, batch_items, batches, current_labels, items, labels


def not_undone() -> ColumnElement[bool]:
    """Condition on `actions`: nobody took it back."""
    later = actions.alias("later")
    return ~exists().where(later.c.undoes == actions.c.id)


def add_action(
    connection: Connection,
    kind: ActionKind,
    annotator: str,
    *,
    client_id: str | None = None,
    undoes: int | None = None,
    created_at: Any = None,
) -> int:
    values = {
        "kind": kind, "annotator": annotator, "created_at": created_at or now(),
        "client_id": client_id, "undoes": undoes,
    }  # fmt: skip
    return inserted_id(connection, actions, values)


def add_label(
    connection: Connection,
    action: int,
    item: ItemId,
    value: str | None,
    source: Source,
    seconds: float | None,
) -> None:
    values = {"action": action, "item": item, "value": value, "source": source, "seconds": seconds}
    connection.execute(labels.insert().values(values))


def add_labels(
    connection: Connection, action: int, touched: Sequence[ItemId], value: str | None, source: Source
) -> None:
    """The same label for many items at once."""
    each = {"action": action, "value": value, "source": source, "seconds": None}
    if touched:
        connection.execute(labels.insert(), [{**each, "item": item} for item in touched])


def make_current(connection: Connection, touched: Iterable[ItemId]) -> None:
    """Points `current_labels` at each item's last label that was not undone, nor taken off since.

    A label that nobody looked at gives way to a person who refuses it without naming another.
    """
    for part in chunks(sorted(set(touched))):
        counts = or_(labels.c.value.is_not(None), actions.c.kind == ActionKind.CLEAR)
        last = (
            select(func.max(labels.c.id).label("label"))
            .join(actions, actions.c.id == labels.c.action)
            .where(labels.c.item.in_(part), counts, not_undone(), ~_refused_unseen())
            .group_by(labels.c.item)
            .subquery()
        )
        query = (
            select(labels.c.item, labels.c.id.label("label"))
            .join(last, last.c.label == labels.c.id)
            .where(labels.c.value.is_not(None))
        )
        rows = [{"item": row.item, "label": row.label} for row in connection.execute(query)]
        connection.execute(delete(current_labels).where(current_labels.c.item.in_(part)))
        if rows:
            connection.execute(current_labels.insert(), rows)


def _refused_unseen() -> ColumnElement[bool]:
    """Condition on `labels`: accepted without a look, and refused in a batch by a person: since then, or
    before, where the label comes from a file."""
    refusing = actions.alias("refusing")
    undoing = actions.alias("undoing")
    refused = (
        exists()
        .where(batch_items.c.item == labels.c.item, batch_items.c.verdict == Verdict.REJECTED)
        .where(batches.c.id == batch_items.c.batch, batches.c.label == labels.c.value)
        .where(refusing.c.id == batches.c.action)
        .where(~exists().where(undoing.c.undoes == refusing.c.id))
    )
    return and_(labels.c.source == Source.CERTIFIED, refused)


def touched_items(connection: Connection, action: int) -> list[ItemId]:
    """Items that the action labelled, skipped, or judged in a batch; what is refused there has no label."""
    labelled = select(labels.c.item).where(labels.c.action == action)
    judged = (
        select(batch_items.c.item)
        .join(batches, batches.c.id == batch_items.c.batch)
        .where(batches.c.action == action, batch_items.c.verdict.is_not(None))
    )
    return list(connection.execute(labelled.union(judged)).scalars())


def refuse_unknown_items(connection: Connection, wanted: Sequence[ItemId]) -> None:
    known: set[ItemId] = set()
    for part in chunks(wanted):
        known.update(connection.execute(select(items.c.id).where(items.c.id.in_(part))).scalars())
    unknown = sorted(set(wanted) - known)
    if unknown:
        listed = ", ".join(str(item) for item in unknown[:5])
        raise NotFound(
            f"there is no item {listed}", code="unknown_item", details=[{"item": item} for item in unknown]
        )
