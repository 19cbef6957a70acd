"""Many items that a person chose, labelled or freed of labels as one action: one undo takes it back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from lightbulb.errors import Conflict
from lightbulb.records import ActionKind, Answer, ItemId, Source
from lightbulb.store.database import Database, chunks
from lightbulb.store.schema import actions, current_labels, labels
from lightbulb.store.writing import (
    add_action,
    add_labels,
    make_current,
    refuse_unknown_items,
    touched_items,
)


class BulkStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, answers: Sequence[Answer], annotator: str, client_id: str | None = None) -> int:
        """Saves answers as one action, which one undo takes back; returns it.

        client_id: of the action; if it is known already nothing changes. Those of the answers don't count.
        Raises: NotFound for an unknown item; Conflict if the client_id comes back with other answers.
        """
        wanted = {(answer.item, answer.label) for answer in answers}
        with self._database.write() as connection:
            refuse_unknown_items(connection, [answer.item for answer in answers])
            earlier = _earlier(connection, client_id, ActionKind.BULK, wanted)
            if earlier is not None:
                return earlier
            action = add_action(connection, ActionKind.BULK, annotator, client_id=client_id)
            each = {"action": action, "source": Source.HUMAN}
            rows = [{**each, "item": one.item, "value": one.label, "seconds": one.seconds} for one in answers]
            connection.execute(labels.insert(), rows)
            make_current(connection, [answer.item for answer in answers])
        return action

    def was_sent(self, client_id: str | None) -> bool:
        """Whether an action has this client_id: sent again, it is answered as it was then."""
        query = select(actions.c.id).where(actions.c.client_id == client_id)
        with self._database.read() as connection:
            return client_id is not None and connection.execute(query).first() is not None

    def remove(
        self, unwanted: Sequence[ItemId], annotator: str, client_id: str | None = None
    ) -> tuple[int, list[ItemId]]:
        """Takes the labels off these items as one action: a row without a value, after which the earlier
        ones no longer count. Returns (action, the items that had a label).

        Raises: NotFound for an unknown item; Conflict if none of them has a label, or as `record`.
        """
        with self._database.write() as connection:
            refuse_unknown_items(connection, unwanted)
            earlier = _earlier(connection, client_id, ActionKind.CLEAR, None)
            if earlier is not None:
                touched = touched_items(connection, earlier)
                if not set(touched) <= set(unwanted):
                    raise _taken(client_id)
                return earlier, touched
            labelled: list[ItemId] = []
            for part in chunks(unwanted):
                query = select(current_labels.c.item).where(current_labels.c.item.in_(part))
                labelled += connection.execute(query).scalars()
            if not labelled:
                raise Conflict("none of these items has a label", code="no_labels")
            action = add_action(connection, ActionKind.CLEAR, annotator, client_id=client_id)
            add_labels(connection, action, labelled, None, Source.HUMAN)
            make_current(connection, labelled)
        return action, labelled


def _earlier(
    connection: Connection,
    client_id: str | None,
    kind: ActionKind,
    wanted: set[tuple[ItemId, str | None]] | None,
) -> int | None:
    """The action that this client_id made. wanted: what it must have saved, None for whatever it did.

    Raises: Conflict if it did something else.
    """
    if client_id is None:
        return None
    query = select(actions.c.id, actions.c.kind).where(actions.c.client_id == client_id)
    row = connection.execute(query).first()
    if row is None:
        return None
    saved = connection.execute(select(labels.c.item, labels.c.value).where(labels.c.action == row.id))
    if row.kind != kind or (wanted is not None and {(one.item, one.value) for one in saved} != wanted):
        raise _taken(client_id)
    return int(row.id)


def _taken(client_id: str | None) -> Conflict:
    return Conflict(f"client_id {client_id!r} was used for something else", code="client_id_taken")
