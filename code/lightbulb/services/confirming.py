"""Batches: proposals of one class shown together, confirmed in one step, and accepted in one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from lightbulb.autolabel.propose import Proposals, draw_batch, propose
from lightbulb.errors import InputError
from lightbulb.records import Batch, ItemId, Snapshot
from lightbulb.services.auditing import Audit, Auditing
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.labeling import Changes
from lightbulb.store.batches import BatchStore
from lightbulb.tasks import Task


@dataclass(frozen=True)
class Confirmed:
    """confirmed, rejected: how many items. audit: what looking at the batch has shown."""

    action: int
    confirmed: int
    rejected: int
    audit: Audit


class Confirming:
    """check: which of some items can be shown."""

    def __init__(
        self,
        task: Task,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        batches: BatchStore,
        auditing: Auditing,
        changes: Changes,
        check: Callable[[Collection[ItemId]], list[ItemId]],
        *,
        annotator: str,
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        self._task = task
        self._catalog = catalog
        self._snapshot = snapshot
        self._batches = batches
        self._auditing = auditing
        self._changes = changes
        self._check = check
        self._annotator = annotator
        self._batch_size = batch_size
        self._rng = rng
        self._lock = threading.Lock()
        self._sure: tuple[Snapshot, Proposals] | None = None
        self._proposed: tuple[Snapshot, CatalogView, Proposals] | None = None

    def proposals(self) -> Proposals | None:
        """What the present model proposes now, nothing once that was called back; None without a model."""
        snapshot = self._snapshot()
        return None if snapshot is None else self._proposals_of(snapshot)

    def counts(self) -> dict[str, int]:
        """Proposals by class."""
        proposals = self.proposals()
        if proposals is None:
            return dict.fromkeys(self._task.classes, 0)
        return dict(zip(self._task.classes, proposals.counts(len(self._task.classes)), strict=True))

    def next_batch(self, *, client: str = "", label: str | None = None) -> Batch | None:
        """Proposals of one class, of `label`, else of the class with most: the next of its audit where
        there is one, else a uniform random sample.

        The same client gets the same batch again until it is answered or the model changes.
        Raises: LabelError for a class the task does not have.
        """
        if label is not None:
            self._task.check_value(label)
        with self._lock, self._changes.lock:
            snapshot = self._snapshot()
            if snapshot is None or snapshot.recalled < self._catalog.view.recalled:
                return None
            open_batch = self._open_batch(client, snapshot.version)
            if open_batch is not None and label in (None, open_batch.label):
                return open_batch
            while True:
                proposals = self._proposals_of(snapshot)
                counts = proposals.counts(len(self._task.classes))
                class_index = int(np.argmax(counts)) if label is None else self._task.classes.index(label)
                mine = proposals.of_class(class_index)
                if not len(mine.item_ids):
                    return None
                batch = self._draw(mine, self._task.classes[class_index], snapshot, client)
                # Where a file has vanished, it is marked by now: draw again without it.
                if len(self._check(batch.items)) == len(batch.items):
                    number = self._batches.add(
                        batch, threshold=float(snapshot.thresholds[class_index]), client=client
                    )
                    return self._batches.get(number)

    def audit_of(self, batch: Batch) -> Audit:
        """How the audit that the batch is a part of stands now."""
        return self._auditing.of_batch(batch)

    def answer(
        self, number: int, rejected: Mapping[ItemId, str | None], *, seconds: float | None = None
    ) -> Confirmed:
        """Confirms a batch but for the rejected items (item → its right class, None for "not this one").

        Raises: NotFound for an unknown batch; Conflict if it was answered before; InputError for items
        that are not in it; LabelError for an unknown class, also the batch's own.
        """
        batch = self._batches.get(number)
        self._task.check_value(batch.label)
        strangers = sorted(set(rejected) - set(batch.items))
        if strangers:
            raise InputError(
                f"item {strangers[0]} is not in batch {number}",
                code="unknown_item",
                details=[{"item": item} for item in strangers],
            )
        for item, value in rejected.items():
            if value is not None and self._task.check_value(value) == batch.label:
                raise InputError(
                    f"item {item} is rejected as {batch.label!r} and labelled so at once",
                    details=[{"item": item}],
                )
        with self._changes.lock:
            view = self._catalog.view
            broken = [
                item
                for item, at in zip(batch.items, view.positions(batch.items), strict=True)
                if view.broken[at]
            ]
            action, confirmed = self._batches.answer(
                batch, rejected, self._annotator,
                seconds=seconds, classes=self._task.classes, leave_out=broken,
            )  # fmt: skip
            self._catalog.refresh(batch.items)
            judged = self._batches.items_of_action(action)
            wrong = len(judged) - len(confirmed)
            audit = self._auditing.after(batch, len(judged), wrong)
            self._changes.saved(batch.items)
        return Confirmed(action, len(confirmed), wrong, audit)

    def accept_rest(self, number: int) -> tuple[int, int]:
        """Labels the rest of the batch's audit without a look: (action, how many items), one undo step.

        Raises: NotFound for an unknown batch; Conflict if its rest is not certified, or not any more.
        """
        batch = self._batches.get(number)
        self._task.check_value(batch.label)
        with self._changes.lock:
            action, rest = self._auditing.accept(batch, self._annotator)
            self._changes.saved(rest)
        return action, len(rest)

    def _proposals_of(self, snapshot: Snapshot) -> Proposals:
        view, known = self._catalog.view, self._proposed
        if known is None or known[0] is not snapshot or known[1] is not view:
            sure = self._sure_of(snapshot)
            allowed = view.allowed_proposals(sure.item_ids, sure.labels)
            if snapshot.recalled < view.recalled:
                allowed[:] = False
            found = Proposals(sure.item_ids[allowed], sure.labels[allowed], sure.scores[allowed])
            self._proposed = known = (snapshot, view, found)
        return known[2]

    def _sure_of(self, snapshot: Snapshot) -> Proposals:
        """What the model is sure enough of, whatever is labelled by now: found once for each model."""
        known = self._sure
        if known is None or known[0] is not snapshot:
            everything = np.ones(len(snapshot.item_ids), dtype=np.bool_)
            sure = propose(snapshot.item_ids, snapshot.probs, snapshot.thresholds, everything)
            self._sure = known = (snapshot, sure)
        return known[1]

    def _open_batch(self, client: str, version: int) -> Batch | None:
        number = self._batches.last_open(client, version)
        if number is None:
            return None
        batch = self._batches.get(number)
        view = self._catalog.view
        at = view.positions(batch.items)
        return batch if bool((view.askable[at]).all()) else None

    def _draw(self, mine: Proposals, label: str, snapshot: Snapshot, client: str) -> Batch:
        """mine: the proposals of one class, at least one."""
        standing = self._auditing.running(label, mine, snapshot)
        items = np.empty(0, dtype=np.int64)
        if standing is not None:
            items = self._auditing.next_items(standing, self._batch_size, client)
        if standing is None or not len(items):  # no audit, or others have all that is left of it before them
            standing = None
            items = draw_batch(mine, self._batch_size, self._rng).item_ids
        view, column = self._catalog.view, self._task.classes.index(label)
        scores = snapshot.probs[snapshot.rows_of(items), column]
        return Batch(
            id=0,
            label=label,
            model_version=snapshot.version,
            candidates=len(mine.item_ids) if standing is None else len(standing.stored.items),
            items=tuple(int(item) for item in items),
            keys=tuple(view.keys[at] for at in view.positions(items)),
            scores=tuple(min(1.0, float(score)) for score in scores),
            audit=None if standing is None else standing.stored.id,
        )
