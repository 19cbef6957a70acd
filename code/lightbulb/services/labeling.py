"""Answers and undo: checked, saved, then made known to everyone who depends on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

from lightbulb.errors import Conflict, InputError, LabelError
from lightbulb.records import Answer, GivenAnswer, ItemId
from lightbulb.services.catalog import Catalog
from lightbulb.store.answers import AnswerHistory
from lightbulb.store.bulk import BulkStore
from lightbulb.store.labels import LabelStore, Undone
from lightbulb.tasks import Task

LONGEST_SECONDS = 36_000.0  # of a page that stayed open; the page counts no further either


class Changes:
    """Tells listeners that labels changed, after they were saved and the catalog shows them.

    One at a time: the catalog must follow the database in the order of its transactions.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._listeners: list[Callable[[], None]] = []
        self.lock = threading.RLock()

    def listen(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def saved(self, touched: Collection[ItemId], *, judged: bool = True) -> None:
        """judged: proposals may have been judged, or such a judgement undone."""
        self._catalog.refresh(touched, judged=judged)
        self.announce()

    def labelled(self, items: Sequence[ItemId]) -> int:
        """How many of these have a label."""
        view = self._catalog.view
        at = view.positions(items)
        return int((view.labels[at[at >= 0]] >= 0).sum())

    def announce(self) -> None:
        for listener in self._listeners:
            listener()


class Labeling:
    def __init__(
        self,
        task: Task,
        labels: LabelStore,
        bulk: BulkStore,
        answers: AnswerHistory,
        changes: Changes,
        annotator: str,
    ) -> None:
        self._task = task
        self._labels = labels
        self._bulk = bulk
        self._answers = answers
        self._changes = changes
        self._annotator = annotator

    def save(self, answers: Sequence[Answer]) -> list[int]:
        """Saves all or none, on disk when this returns; gives each answer's action.

        Raises: LabelError for a class the task doesn't have; NotFound for an unknown item; InputError
        for seconds out of range; Conflict if a client_id comes back with another answer.
        """
        self._check(answers)
        with self._changes.lock:
            saved = self._labels.record(answers, self._annotator)
            self._changes.saved({answer.item for answer in answers}, judged=False)
        return saved

    def save_together(self, answers: Sequence[Answer], client_id: str | None = None) -> tuple[int, int]:
        """As `save`, but as one step to undo: (its action, how many of the skipped items keep their label).

        Raises: Conflict (`nothing_to_skip`) if nothing is asked for but to skip items that have a label.
        """
        self._check(answers)
        skipped = [answer.item for answer in answers if answer.label is None]
        with self._changes.lock:
            kept = self._changes.labelled(skipped)
            if kept == len(answers) and not self._bulk.was_sent(client_id):
                raise Conflict("all of these items have a label, which a skip leaves", code="nothing_to_skip")
            action = self._bulk.record(answers, self._annotator, client_id)
            self._changes.saved({answer.item for answer in answers}, judged=False)
        return action, kept

    def remove(self, items: Sequence[ItemId], client_id: str | None = None) -> tuple[int, list[ItemId]]:
        """Takes the labels off, as one step to undo: (action, the items that had one).

        Raises: NotFound for an unknown item; Conflict if none of them has a label.
        """
        with self._changes.lock:
            action, touched = self._bulk.remove(items, self._annotator, client_id)
            self._changes.saved(touched, judged=False)
        return action, touched

    def undo(self, of: str | None = None) -> Undone:
        """Takes back the last answer, skip or batch; or the answer with this client_id, once.

        Raises: Conflict (`nothing_to_undo`).
        """
        with self._changes.lock:
            undone = self._labels.undo(self._annotator, of)
            self._changes.saved(undone.items)
        return undone

    def latest(self, count: int, before: int | None = None) -> list[GivenAnswer]:
        """The last answers, the latest first. before: only from actions before this one."""
        return self._answers.latest(self._annotator, count, before)

    def _check(self, answers: Sequence[Answer]) -> None:
        problems = []
        for answer in answers:
            if answer.seconds is not None and not 0 <= answer.seconds <= LONGEST_SECONDS:
                problem = f"seconds must be between 0 and {LONGEST_SECONDS:.0f}"
                raise InputError(problem, details=[{"item": answer.item, "client_id": answer.client_id}])
            if answer.label is None:
                continue
            try:
                self._task.check_value(answer.label)
            except LabelError as error:
                problems.append(
                    {"item": answer.item, "client_id": answer.client_id, "problem": error.message}
                )
        if problems:
            raise LabelError(str(problems[0]["problem"]), details=problems)
