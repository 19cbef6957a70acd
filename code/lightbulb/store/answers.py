"""A person's own answers, the latest first: to look back, and to change one."""

from __future__ import annotations

from sqlalchemy import select

from lightbulb.records import ActionKind, GivenAnswer
from lightbulb.store.database import Database
from lightbulb.store.schema import actions, current_labels, items, labels
from lightbulb.store.writing import not_undone


class AnswerHistory:
    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, annotator: str, count: int, before: int | None = None) -> list[GivenAnswer]:
        """The annotator's last answers to questions that nobody took back, each item's last one only.

        before: only from actions before this one. The label is the one in force, whoever gave it since.
        """
        in_force = labels.alias("in_force")
        query = (
            select(labels.c.item, items.c.key, in_force.c.value, labels.c.action, actions.c.created_at)
            .select_from(actions)
            .join(labels, labels.c.action == actions.c.id)
            .join(items, items.c.id == labels.c.item)
            .outerjoin(current_labels, current_labels.c.item == labels.c.item)
            .outerjoin(in_force, in_force.c.id == current_labels.c.label)
            .where(
                actions.c.annotator == annotator,
                actions.c.kind.in_((ActionKind.LABEL, ActionKind.SKIP)),
                not_undone(),
            )
            .order_by(actions.c.id.desc())
            .limit(count)
        )
        if before is not None:
            query = query.where(actions.c.id < before)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        latest: dict[int, GivenAnswer] = {}
        for row in rows:
            latest.setdefault(row.item, GivenAnswer(*row))
        return list(latest.values())
