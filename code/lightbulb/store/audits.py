"""Audits: the frozen proposals of a class, the order they are looked at, and what was accepted on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Exists, func, select, update

from lightbulb.errors import NotFound
from lightbulb.records import ActionKind, Ints, ItemId, Source
from lightbulb.store.database import Database, inserted_id, now
from lightbulb.store.schema import actions, audits, batches, labels
from lightbulb.store.writing import add_action, add_labels, make_current, not_undone


@dataclass(frozen=True)
class StoredAudit:
    """items: int64 (n,), in the order they are looked at. spent: looks of the class before this audit.

    looks: how many it came to, whatever was undone since. ended: no batch is drawn from it any more.
    accepted_by: the action that accepted its rest, failed: a batch of it called the proposals back, and
    that stands.
    """

    id: int
    label: str
    model_version: int
    confidence: float
    items: Ints
    spent: int
    looks: int
    ended: bool
    accepted_by: int | None
    failed: bool

    @property
    def accepted(self) -> bool:
        return self.accepted_by is not None

    @property
    def open(self) -> bool:
        """Whether its rest may still come to be accepted."""
        return not (self.ended or self.accepted or self.failed)


class AuditStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._accepted: dict[int, Ints] = {}  # what an action accepted: for good

    def add(self, label: str, model_version: int, confidence: float, items: Ints) -> StoredAudit:
        """Freezes the proposals of a class; items in the random order that they will be looked at.

        Audits of the class before it end for good, whatever is undone later: their looks have no part of
        the risk left to spend.
        """
        with self._database.write() as connection:
            earlier = update(audits).where(audits.c.label == label, audits.c.ended_at.is_(None))
            connection.execute(earlier.values(ended_at=now()))
            query = select(func.coalesce(func.sum(audits.c.looks), 0)).where(audits.c.label == label)
            values = {
                "label": label, "model_version": model_version, "confidence": confidence,
                "items": items.astype("<i8").tobytes(),
                "spent": int(connection.execute(query).scalar_one()), "looks": 0, "created_at": now(),
            }  # fmt: skip
            number = inserted_id(connection, audits, values)
        return self.get(number)

    def spent(self, label: str) -> int:
        """Looks that audits of this class came to so far."""
        query = select(func.coalesce(func.sum(audits.c.looks), 0)).where(audits.c.label == label)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def get(self, number: int) -> StoredAudit:
        """Raises: NotFound."""
        with self._database.read() as connection:
            row = connection.execute(
                select(audits, _accepted().label("accepted"), _failed().label("failed")).where(
                    audits.c.id == number
                )
            ).first()
        if row is None:
            raise NotFound(f"there is no audit {number}", code="unknown_audit")
        return StoredAudit(
            id=row.id,
            label=row.label,
            model_version=row.model_version,
            confidence=row.confidence,
            items=np.frombuffer(row.items, dtype="<i8").astype(np.int64),
            spent=row.spent,
            looks=row.looks,
            ended=row.ended_at is not None,
            accepted_by=row.accepted_by if row.accepted else None,
            failed=bool(row.failed),
        )

    def running(self, label: str) -> StoredAudit | None:
        """The newest audit of the class that was neither ended, nor accepted, nor failed by a batch."""
        query = (
            select(audits.c.id)
            .where(audits.c.label == label, audits.c.ended_at.is_(None), ~_accepted(), ~_failed())
            .order_by(audits.c.id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            number = connection.execute(query).scalar()
        return None if number is None else self.get(number)

    def all_running(self) -> list[StoredAudit]:
        """Of each class the newest audit, where that is running."""
        query = (
            select(func.max(audits.c.id))
            .where(audits.c.ended_at.is_(None), ~_accepted(), ~_failed())
            .group_by(audits.c.label)
        )
        with self._database.read() as connection:
            numbers = connection.execute(query).scalars().all()
        return [self.get(number) for number in numbers]

    def all_accepted(self) -> list[StoredAudit]:
        """Those whose rest was accepted, the newest acceptance first."""
        query = select(audits.c.id).where(_accepted()).order_by(audits.c.accepted_by.desc())
        with self._database.read() as connection:
            numbers = connection.execute(query).scalars().all()
        return [self.get(number) for number in numbers]

    def accepted_items(self, action: int) -> Ints:
        """What an acceptance labelled, whatever became of it: int64 (n,) ascending."""
        if action not in self._accepted:
            query = select(labels.c.item).where(labels.c.action == action).order_by(labels.c.item)
            with self._database.read() as connection:
                items = connection.execute(query).scalars().all()
            self._accepted[action] = np.array(items, dtype=np.int64)
        return self._accepted[action]

    def reached(self, number: int, looks: int) -> None:
        """Notes how many looks the audit came to; never takes one back."""
        with self._database.write() as connection:
            connection.execute(
                update(audits).where(audits.c.id == number, audits.c.looks < looks).values(looks=looks)
            )

    def end(self, number: int) -> None:
        """No batch will be drawn from it any more."""
        with self._database.write() as connection:
            connection.execute(
                update(audits)
                .where(audits.c.id == number, audits.c.ended_at.is_(None))
                .values(ended_at=now())
            )

    def accept(self, audit: StoredAudit, looks: int, rest: Sequence[ItemId], annotator: str) -> int:
        """Labels the rest without a look, as one action that can be undone; returns it.

        looks: how many the audit has come to.
        """
        with self._database.write() as connection:
            action = add_action(connection, ActionKind.ACCEPT, annotator)
            add_labels(connection, action, rest, audit.label, Source.CERTIFIED)
            make_current(connection, rest)
            values = {"accepted_by": action, "looks": max(looks, audit.looks)}
            connection.execute(update(audits).where(audits.c.id == audit.id).values(values))
        return action


def _accepted() -> Exists:
    """Condition on `audits`: the rest was accepted, and that was not undone."""
    return select(actions.c.id).where(actions.c.id == audits.c.accepted_by, not_undone()).exists()


def _failed() -> Exists:
    """Condition on `audits`: a batch of it called the proposals back, and that was not undone."""
    return (
        select(batches.c.id)
        .join(actions, actions.c.id == batches.c.action)
        .where(batches.c.audit == audits.c.id, batches.c.recalled.is_not(None), not_undone())
        .exists()
    )
