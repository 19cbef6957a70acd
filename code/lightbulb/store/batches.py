"""Batches shown for confirmation, and what people made of them: the evidence behind every proposal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, exists, func, select, update

from lightbulb.errors import Conflict, NotFound
from lightbulb.records import LOOKED_AT, ActionKind, Batch, ItemId, Source
from lightbulb.store.database import Database, chunks, inserted_id, now
from lightbulb.store.schema import Verdict, actions, batch_items, batches, current_labels, items, labels
from lightbulb.store.writing import add_action, add_label, make_current, not_undone


@dataclass(frozen=True)
class Answered:
    """What became of an answered batch: how many of its items were judged, and how many of them rejected."""

    batch: int
    label: str
    judged: int
    rejected: int
    recalled: int | None


class BatchStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[int, tuple[int, int]] = {}  # (judged, rejected) of answered batches: for good

    def add(self, batch: Batch, *, threshold: float, client: str) -> int:
        """Keeps a batch before it is shown; returns its id (that of `batch` is ignored)."""
        with self._database.write() as connection:
            values = {
                "label": batch.label, "model_version": batch.model_version, "threshold": threshold,
                "candidates": batch.candidates, "client": client, "created_at": now(),
                "audit": batch.audit,
            }  # fmt: skip
            number = inserted_id(connection, batches, values)
            rows = [
                {"batch": number, "item": item, "score": score}
                for item, score in zip(batch.items, batch.scores, strict=True)
            ]
            connection.execute(batch_items.insert(), rows)
        return number

    def last_open(self, client: str, model_version: int) -> int | None:
        """The client's newest unanswered batch of this model."""
        query = (
            select(batches.c.id)
            .where(
                batches.c.client == client,
                batches.c.model_version == model_version,
                batches.c.action.is_(None),
            )
            .order_by(batches.c.id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def last_of_audit(self, audit: int) -> int | None:
        """The newest batch drawn from an audit."""
        query = select(func.max(batches.c.id)).where(batches.c.audit == audit)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def get(self, number: int) -> Batch:
        """The batch with all its items. Raises: NotFound."""
        with self._database.read() as connection:
            head = connection.execute(select(batches).where(batches.c.id == number)).first()
            if head is None:
                raise NotFound(
                    f"there is no batch {number}", code="unknown_batch", details=[{"batch": number}]
                )
            query = (
                select(batch_items.c.item, items.c.key, batch_items.c.score)
                .join(items, items.c.id == batch_items.c.item)
                .where(batch_items.c.batch == number)
            )
            rows = connection.execute(query).all()
        return Batch(
            number, head.label, head.model_version, head.candidates,
            tuple(row.item for row in rows), tuple(row.key for row in rows), tuple(row.score for row in rows),
            head.audit,
        )  # fmt: skip

    def answer(
        self,
        batch: Batch,
        rejected: Mapping[ItemId, str | None],
        annotator: str,
        *,
        seconds: float | None,
        classes: Sequence[str],
        leave_out: Sequence[ItemId] = (),
    ) -> tuple[int, list[ItemId]]:
        """Confirms the batch but for `rejected` (item → its right class, or None for "not this one").

        Items that someone labelled meanwhile keep that label; but a look counts for more than a label that
        nobody is known to have looked at, or one of none of the task's classes. leave_out: items that nobody
        could see. Returns (action, confirmed items). Raises: Conflict if it was answered before.
        """
        with self._database.write() as connection:
            if (
                connection.execute(select(batches.c.action).where(batches.c.id == batch.id)).scalar()
                is not None
            ):
                raise Conflict(
                    f"batch {batch.id} was answered already",
                    code="batch_answered",
                    details=[{"batch": batch.id}],
                )
            taken: set[ItemId] = set(leave_out)
            for part in chunks(batch.items):
                query = (
                    select(current_labels.c.item)
                    .join(labels, labels.c.id == current_labels.c.label)
                    .where(current_labels.c.item.in_(part), labels.c.source.in_(LOOKED_AT))
                    .where(labels.c.value.in_(classes))
                )
                taken.update(connection.execute(query).scalars())
            judged = [item for item in batch.items if item not in taken]
            confirmed = [item for item in judged if item not in rejected]
            action = add_action(connection, ActionKind.BATCH, annotator)
            connection.execute(update(batches).where(batches.c.id == batch.id).values(action=action))
            each = None if seconds is None or not judged else seconds / len(judged)
            for item in confirmed:
                add_label(connection, action, item, batch.label, Source.CONFIRMED, each)
            for item in judged:
                if rejected.get(item) is not None:
                    add_label(connection, action, item, rejected[item], Source.HUMAN, each)
                verdict = Verdict.REJECTED if item in rejected else Verdict.CONFIRMED
                connection.execute(
                    update(batch_items)
                    .where(batch_items.c.batch == batch.id, batch_items.c.item == item)
                    .values(verdict=verdict)
                )
            make_current(connection, judged)
        return action, confirmed

    def items_of_action(self, action: int) -> list[ItemId]:
        """Items of the batch that an action answered; empty if it answered none."""
        query = (
            select(batch_items.c.item)
            .join(batches, batches.c.id == batch_items.c.batch)
            .where(batches.c.action == action, batch_items.c.verdict.is_not(None))
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def held_by_others(self, audit: int, client: str, since: datetime) -> set[ItemId]:
        """Items of the audit that other clients have before them, drawn since then and not answered."""
        newer = batches.alias("newer")  # a client that was shown another batch has let go of the one before
        query = (
            select(batch_items.c.item)
            .join(batches, batches.c.id == batch_items.c.batch)
            .where(
                batches.c.audit == audit,
                batches.c.client != client,
                batches.c.action.is_(None),
                batches.c.created_at >= since,
                ~exists().where(newer.c.client == batches.c.client, newer.c.id > batches.c.id),
            )
        )
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def recall(self, batch: int, model_version: int) -> None:
        """Notes that what the batch showed calls back all proposals up to this model's."""
        with self._database.write() as connection:
            connection.execute(update(batches).where(batches.c.id == batch).values(recalled=model_version))

    def answered(self) -> list[Answered]:
        """Every answered batch that was not taken back, in the order they were answered."""
        query = (
            select(batches.c.id, batches.c.label, batches.c.recalled)
            .join(actions, actions.c.id == batches.c.action)
            .where(not_undone())
            .order_by(batches.c.action)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            self._count(connection, [row.id for row in rows if row.id not in self._counts])
        found = [Answered(row.id, row.label, *self._counts[row.id], row.recalled) for row in rows]
        return [one for one in found if one.judged]

    def _count(self, connection: Connection, answered: Sequence[int]) -> None:
        rejected = func.sum(case((batch_items.c.verdict == Verdict.REJECTED, 1), else_=0))
        query = (
            select(batch_items.c.batch, func.count().label("judged"), rejected.label("rejected"))
            .where(batch_items.c.verdict.is_not(None))
            .group_by(batch_items.c.batch)
        )
        counts = dict.fromkeys(answered, (0, 0))
        for part in chunks(answered):
            for row in connection.execute(query.where(batch_items.c.batch.in_(part))):
                counts[row.batch] = (row.judged, int(row.rejected))
        self._counts.update(counts)

    def rejections(self, only: Collection[ItemId] | None = None) -> list[tuple[ItemId, str]]:
        """(item, class) that a person said no to, and did not take back. only: of these items."""
        query = (
            select(batch_items.c.item, batches.c.label)
            .join(batches, batches.c.id == batch_items.c.batch)
            .join(actions, actions.c.id == batches.c.action)
            .where(batch_items.c.verdict == Verdict.REJECTED, not_undone())
        )
        parts = (
            [query] if only is None else [query.where(batch_items.c.item.in_(s)) for s in chunks(list(only))]
        )
        with self._database.read() as connection:
            return [(row.item, row.label) for one in parts for row in connection.execute(one)]
