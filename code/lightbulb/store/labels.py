"""Labels and actions: append-only, every step undoable, sending twice harmless."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select
from sqlalchemy.exc import IntegrityError

from lightbulb.errors import Conflict
from lightbulb.records import LOOKED_AT, ActionKind, Answer, ItemId, Label, Source
from lightbulb.store.database import Database, chunks
from lightbulb.store.schema import actions, current_labels, items, labels
from lightbulb.store.writing import (
    add_action,
    add_label,
    make_current,
    not_undone,
    refuse_unknown_items,
    touched_items,
)

UNDOABLE = (
    ActionKind.LABEL,
    ActionKind.SKIP,
    ActionKind.BULK,
    ActionKind.CLEAR,
    ActionKind.BATCH,
    ActionKind.ACCEPT,
)
PACE_WINDOW = 50  # labels that the pace is measured over


@dataclass(frozen=True)
class Undone:
    action: int
    kind: ActionKind
    items: tuple[ItemId, ...]


@dataclass(frozen=True)
class ImportedLabel:
    """One row of a file of labels. created_at None: now. annotator None: the importing user."""

    item: ItemId
    value: str
    source: Source
    annotator: str | None
    seconds: float | None
    created_at: Any = None


def _last_action(connection: Connection) -> int:
    return connection.execute(select(func.max(actions.c.id))).scalar() or 0


class LabelStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._given_twice: tuple[int, frozenset[ItemId]] = (0, frozenset())  # as of the action it names

    def record(self, answers: Sequence[Answer], annotator: str) -> list[int]:
        """Saves answers, one action each, all or none; returns the action of each.

        An answer whose client_id is known already changes nothing and returns the action it made then.

        Raises: NotFound for an unknown item; Conflict if a client_id comes back with another answer.
        """
        with self._database.write() as connection:
            refuse_unknown_items(connection, [answer.item for answer in answers])
            return [_record_one(connection, answer, annotator) for answer in answers]

    def record_import(self, rows: Sequence[ImportedLabel], annotator: str) -> int:
        """Saves rows as one action that no key press undoes; returns how many.

        A certified label never takes the place of one that is not. What says no more than the label in force
        changes nothing: a file without sources must not make it look as if nobody had looked.
        """
        with self._database.write() as connection:
            in_force = _in_force(connection, [row.item for row in rows])
            kept = [row for row in rows if _says_more(row, in_force.get(row.item), annotator)]
            by_annotator: dict[tuple[str, Any], list[ImportedLabel]] = {}
            for row in kept:
                by_annotator.setdefault((row.annotator or annotator, row.created_at), []).append(row)
            for (who, when), group in by_annotator.items():
                action = add_action(connection, ActionKind.IMPORT, who, created_at=when)
                for row in group:
                    add_label(connection, action, row.item, row.value, row.source, row.seconds)
                make_current(connection, [row.item for row in group])
        return len(kept)

    def undo(self, annotator: str, of: str | None = None) -> Undone:
        """Takes back the annotator's last action that still stands, or the one with the client_id `of`:
        that one once, however often it is asked for.

        Raises: Conflict (`nothing_to_undo`).
        """
        query = select(actions.c.id, actions.c.kind, (~not_undone()).label("is_undone")).where(
            actions.c.annotator == annotator, actions.c.kind.in_(UNDOABLE)
        )
        query = query.where(not_undone() if of is None else actions.c.client_id == of)
        with self._database.write() as connection:
            last = connection.execute(query.order_by(actions.c.id.desc()).limit(1)).first()
            if last is None:
                raise Conflict("there is nothing to undo", code="nothing_to_undo")
            touched = touched_items(connection, last.id)
            if not last.is_undone:
                add_action(connection, ActionKind.UNDO, annotator, undoes=last.id)
                make_current(connection, touched)
        return Undone(last.id, ActionKind(last.kind), tuple(touched))

    def current(self, only: Collection[ItemId] | None = None) -> list[Label]:
        """The labels in force, of all items or of these."""
        with self._database.read() as connection:
            if only is None:
                return [_label(row) for row in connection.execute(_current_query().order_by(labels.c.item))]
            found: list[Label] = []
            for part in chunks(list(only)):
                rows = connection.execute(_current_query().where(current_labels.c.item.in_(part)))
                found += [_label(row) for row in rows]
        return found

    def export_rows(self) -> list[tuple[str, Label]]:
        """(item key, label in force), ordered by key."""
        query = _current_query().add_columns(items.c.key).join(items, items.c.id == current_labels.c.item)
        with self._database.read() as connection:
            return [(row.key, _label(row)) for row in connection.execute(query.order_by(items.c.key))]

    def ever_given(self) -> set[tuple[str, str]]:
        """Every (item key, value) that was ever saved, taken back or not."""
        query = (
            select(items.c.key, labels.c.value)
            .join(items, items.c.id == labels.c.item)
            .where(labels.c.value.is_not(None))
        )
        with self._database.read() as connection:
            return {(row.key, row.value) for row in connection.execute(query)}

    def skips(self, only: Collection[ItemId] | None = None) -> dict[ItemId, int]:
        """Item → the last action that skipped it and was not undone. only: of these items."""
        query = (
            select(labels.c.item, func.max(labels.c.action).label("action"))
            .join(actions, actions.c.id == labels.c.action)
            .where(labels.c.value.is_(None), actions.c.kind != ActionKind.CLEAR, not_undone())
            .group_by(labels.c.item)
        )
        queries = [query] if only is None else [query.where(labels.c.item.in_(s)) for s in chunks(list(only))]
        with self._database.read() as connection:
            return {row.item: row.action for one in queries for row in connection.execute(one)}

    def asked(self, only: Collection[ItemId] | None = None) -> set[ItemId]:
        """Items that a person was asked about and named a class of. only: of these.

        Neither undone, nor taken off since: then it is asked again. But a label that took the place of the
        answer later, by whatever way, does not make the question unasked.
        """
        query = select(labels.c.item).join(actions, actions.c.id == labels.c.action).where(_was_asked())
        queries = [query] if only is None else [query.where(labels.c.item.in_(s)) for s in chunks(list(only))]
        with self._database.read() as connection:
            return {item for one in queries for item in connection.execute(one).scalars()}

    def frontier(self, classes: Sequence[str]) -> float:
        """Largest draw of a held-out item that was asked about (as in `CatalogView`), -1 before the first."""
        in_force = labels.alias("in_force")
        query = (
            select(func.max(items.c.draw))
            .select_from(labels)
            .join(actions, actions.c.id == labels.c.action)
            .join(items, items.c.id == labels.c.item)
            .join(current_labels, current_labels.c.item == labels.c.item)
            .join(in_force, in_force.c.id == current_labels.c.label)
            .where(items.c.held_out, in_force.c.value.in_(classes), _was_asked())
        )
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return -1.0 if found is None else float(found)

    def last_action(self) -> int:
        with self._database.read() as connection:
            return _last_action(connection)

    def given_twice(self) -> frozenset[ItemId]:
        """Items whose label in force a person gave more than once: looked at again, and kept.

        Kept until the next action: finding it goes through all labels.
        """
        in_force = labels.alias("in_force")
        query = (
            select(labels.c.item)
            .join(actions, actions.c.id == labels.c.action)
            .join(current_labels, current_labels.c.item == labels.c.item)
            .join(in_force, in_force.c.id == current_labels.c.label)
            .where(
                labels.c.value == in_force.c.value,
                labels.c.source.in_((Source.HUMAN, Source.CONFIRMED)),
                not_undone(),
            )
            .group_by(labels.c.item)
            .having(func.count() > 1)
        )
        with self._database.read() as connection:
            # Read first: a label that comes in between is found too early, never too late.
            last, (known, found) = _last_action(connection), self._given_twice
            if last != known:
                found = frozenset(connection.execute(query).scalars())
                self._given_twice = (last, found)
            return found

    def pace(self, kind: ActionKind = ActionKind.LABEL) -> float | None:
        """Median seconds per label over the last labels that came with a time, by actions of this kind."""
        query = (
            select(labels.c.seconds)
            .join(actions, actions.c.id == labels.c.action)
            .where(labels.c.seconds.is_not(None), labels.c.value.is_not(None), actions.c.kind == kind)
            # By action first: one that labelled a million items at once is passed over in one step.
            .order_by(actions.c.id.desc(), labels.c.id.desc())
            .limit(PACE_WINDOW)
        )
        with self._database.read() as connection:
            seconds = [row.seconds for row in connection.execute(query)]
        return statistics.median(seconds) if seconds else None


def _was_asked() -> ColumnElement[bool]:
    """Condition on `labels` and their `actions`: an answer, neither undone nor taken off since."""
    removal, removing = labels.alias("removal"), actions.alias("removing")
    undoing = actions.alias("undoing")
    removed = (
        exists()
        .where(removal.c.item == labels.c.item, removal.c.id > labels.c.id)
        .where(removing.c.id == removal.c.action, removing.c.kind == ActionKind.CLEAR)
        .where(~exists().where(undoing.c.undoes == removing.c.id))
    )
    return and_(actions.c.kind == ActionKind.LABEL, labels.c.value.is_not(None), not_undone(), ~removed)


def _in_force(connection: Connection, wanted: Sequence[ItemId]) -> dict[ItemId, Label]:
    return {
        row.item: _label(row)
        for part in chunks(list(wanted))
        for row in connection.execute(_current_query().where(current_labels.c.item.in_(part)))
    }


def _says_more(row: ImportedLabel, in_force: Label | None, annotator: str) -> bool:
    if in_force is None:
        return True
    if row.source == Source.CERTIFIED:
        return in_force.source == Source.CERTIFIED and row.value != in_force.value
    if row.value != in_force.value:
        return True
    same = (row.source, row.annotator or annotator) == (in_force.source, in_force.annotator)
    return row.source in LOOKED_AT and not same


def _record_one(connection: Connection, answer: Answer, annotator: str) -> int:
    if answer.client_id is not None:
        earlier = _earlier(connection, answer)
        if earlier is not None:
            return earlier
    kind = ActionKind.SKIP if answer.label is None else ActionKind.LABEL
    try:
        action = add_action(connection, kind, annotator, client_id=answer.client_id)
    except IntegrityError as error:  # another process took the client_id between the two statements
        raise Conflict(f"client_id {answer.client_id!r} is taken") from error
    add_label(connection, action, answer.item, answer.label, Source.HUMAN, answer.seconds)
    make_current(connection, [answer.item])
    return action


def _earlier(connection: Connection, answer: Answer) -> int | None:
    query = (
        select(actions.c.id, labels.c.item, labels.c.value)
        .join(labels, labels.c.action == actions.c.id)
        .where(actions.c.client_id == answer.client_id)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if (row.item, row.value) != (answer.item, answer.label):
        raise Conflict(
            f"client_id {answer.client_id!r} was used for another answer",
            code="client_id_taken",
            details=[{"item": answer.item, "client_id": answer.client_id}],
        )
    return int(row.id)


def _current_query() -> Select[Any]:
    return (
        select(
            labels.c.item, labels.c.value, actions.c.annotator, labels.c.source, labels.c.seconds,
            actions.c.created_at, labels.c.action,
        )
        .select_from(current_labels)
        .join(labels, labels.c.id == current_labels.c.label)
        .join(actions, actions.c.id == labels.c.action)
    )  # fmt: skip


def _label(row: Any) -> Label:
    source = Source(row.source)
    return Label(row.item, row.value, row.annotator, source, row.seconds, row.created_at, row.action)
