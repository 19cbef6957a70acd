"""Batches: proposals of one class shown together, confirmed in one step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lightbulb.autolabel.propose import Proposals, draw_batch, propose
from lightbulb.errors import InputError
from lightbulb.records import Batch, ItemId, Snapshot
from lightbulb.services.catalog import Catalog
from lightbulb.services.labeling import Changes
from lightbulb.store.batches import Audit, BatchStore
from lightbulb.tasks import Task


@dataclass(frozen=True)
class Confirmed:
    """confirmed, rejected: how many items. audit: what looking at the batch has shown."""

    action: int
    confirmed: int
    rejected: int
    audit: Audit


class Confirming:
    """check: whether an item can be shown."""

    def __init__(
        self,
        task: Task,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        batches: BatchStore,
        changes: Changes,
        check: Callable[[ItemId], bool],
        *,
        annotator: str,
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        self._task = task
        self._catalog = catalog
        self._snapshot = snapshot
        self._batches = batches
        self._changes = changes
        self._check = check
        self._annotator = annotator
        self._batch_size = batch_size
        self._rng = rng
        self._lock = threading.Lock()

    def proposals(self) -> Proposals | None:
        """What the present model proposes now; None while there is no model."""
        snapshot, view = self._snapshot(), self._catalog.view
        if snapshot is None:
            return None
        best = snapshot.probs.argmax(axis=1).astype(np.int64)
        allowed = view.allowed_proposals(snapshot.item_ids, best)
        return propose(snapshot.item_ids, snapshot.probs, snapshot.thresholds, allowed)

    def counts(self) -> dict[str, int]:
        """Proposals by class."""
        proposals = self.proposals()
        if proposals is None:
            return dict.fromkeys(self._task.classes, 0)
        return dict(zip(self._task.classes, proposals.counts(len(self._task.classes)), strict=True))

    def next_batch(self, *, client: str = "", label: str | None = None) -> Batch | None:
        """A uniform random sample of the proposals of one class: of `label`, else of the class with most.

        The same client gets the same batch again until it is answered or the model changes.
        Raises: LabelError for a class the task does not have.
        """
        if label is not None:
            self._task.check_value(label)
        with self._lock:
            snapshot, proposals = self._snapshot(), self.proposals()
            if snapshot is None or proposals is None:
                return None
            open_batch = self._open_batch(client, snapshot.version)
            if open_batch is not None and label in (None, open_batch.label):
                return open_batch
            while True:
                counts = proposals.counts(len(self._task.classes))
                class_index = int(np.argmax(counts)) if label is None else self._task.classes.index(label)
                mine = proposals.of_class(class_index)
                if not len(mine.item_ids):
                    return None
                drawn = draw_batch(mine, self._batch_size, self._rng)
                usable = [self._check(int(item)) for item in drawn.item_ids]
                if all(usable):
                    break
                refreshed = self.proposals()  # a file vanished: it is marked now, draw without it
                proposals = refreshed if refreshed is not None else proposals
            return self._keep(drawn, class_index, len(mine.item_ids), snapshot, client)

    def answer(
        self, number: int, rejected: Mapping[ItemId, str | None], *, seconds: float | None = None
    ) -> Confirmed:
        """Confirms a batch but for the rejected items (item → its right class, None for "not this one").

        Raises: NotFound for an unknown batch; Conflict if it was answered before; InputError for items
        that are not in it; LabelError for an unknown class.
        """
        batch = self._batches.get(number)
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
                batch, rejected, self._annotator, seconds=seconds, leave_out=broken
            )
            self._changes.saved(batch.items)
        judged = self._batches.items_of_action(action)
        wrong = len(judged) - len(confirmed)
        return Confirmed(action, len(confirmed), wrong, Audit(len(judged), wrong, batch.candidates))

    def _open_batch(self, client: str, version: int) -> Batch | None:
        number = self._batches.last_open(client, version)
        if number is None:
            return None
        batch = self._batches.get(number)
        view = self._catalog.view
        at = view.positions(batch.items)
        return batch if bool((view.askable[at]).all()) else None

    def _keep(
        self, drawn: Proposals, class_index: int, candidates: int, snapshot: Snapshot, client: str
    ) -> Batch:
        view = self._catalog.view
        keys = tuple(view.keys[at] for at in view.positions(drawn.item_ids))
        batch = Batch(
            id=0,
            label=self._task.classes[class_index],
            model_version=snapshot.version,
            candidates=candidates,
            items=tuple(int(item) for item in drawn.item_ids),
            keys=keys,
            scores=tuple(min(1.0, float(score)) for score in drawn.scores),
        )
        number = self._batches.add(batch, threshold=float(snapshot.thresholds[class_index]), client=client)
        return self._batches.get(number)
