"""Audits: the frozen proposals of a class, the order they are looked at, and what was accepted on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select, update

from lightbulb.errors import NotFound
from lightbulb.records import ActionKind, Ints, ItemId, Source
from lightbulb.store.database import Database, inserted_id, now
from lightbulb.store.labels import add_action, add_labels, make_current, not_undone
from lightbulb.store.schema import actions, audits, batches


@dataclass(frozen=True)
class StoredAudit:
    """items: int64 (n,), in the order they are looked at. spent: looks of the class before this audit.

    looks: how many it came to, whatever was undone since. accepted: its rest was accepted, and stands.
    """

    id: int
    label: str
    model_version: int
    confidence: float
    items: Ints
    spent: int
    looks: int
    ended: bool
    accepted: bool


class AuditStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, label: str, model_version: int, confidence: float, items: Ints) -> StoredAudit:
        """Freezes the proposals of a class; items in the random order that they will be looked at."""
        with self._database.write() as connection:
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
            row = connection.execute(select(audits).where(audits.c.id == number)).first()
            if row is None:
                raise NotFound(f"there is no audit {number}", code="unknown_audit")
            standing = select(actions.c.id).where(actions.c.id == row.accepted_by, not_undone())
            accepted = connection.execute(standing).first() is not None
        return StoredAudit(
            id=row.id,
            label=row.label,
            model_version=row.model_version,
            confidence=row.confidence,
            items=np.frombuffer(row.items, dtype="<i8").astype(np.int64),
            spent=row.spent,
            looks=row.looks,
            ended=row.ended_at is not None,
            accepted=accepted,
        )

    def running(self, label: str) -> StoredAudit | None:
        """The newest audit of the class that was neither ended, nor accepted, nor failed by a batch."""
        accepted = select(actions.c.id).where(actions.c.id == audits.c.accepted_by, not_undone()).exists()
        failed = (
            select(batches.c.id)
            .join(actions, actions.c.id == batches.c.action)
            .where(batches.c.audit == audits.c.id, batches.c.recalled.is_not(None), not_undone())
            .exists()
        )
        query = (
            select(audits.c.id)
            .where(audits.c.label == label, audits.c.ended_at.is_(None), ~accepted, ~failed)
            .order_by(audits.c.id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            number = connection.execute(query).scalar()
        return None if number is None else self.get(number)

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

    def accept(self, audit: StoredAudit, rest: Sequence[ItemId], annotator: str) -> int:
        """Labels the rest without a look, as one action that can be undone; returns it."""
        with self._database.write() as connection:
            action = add_action(connection, ActionKind.ACCEPT, annotator)
            add_labels(connection, action, rest, audit.label, Source.CERTIFIED)
            make_current(connection, rest)
            connection.execute(update(audits).where(audits.c.id == audit.id).values(accepted_by=action))
        return action
