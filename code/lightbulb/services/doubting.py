"""Labels that look wrong: those a model disagrees with, and copies of one thing with different labels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightbulb.records import ItemId, Snapshot, Suspect
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.store.labels import LabelStore
from lightbulb.training.near_duplicates import conflicting, duplicate_groups

MOST_COMPARED = 20_000  # labelled items whose embeddings are compared with each other


@dataclass(frozen=True)
class LabelledItem:
    item: ItemId
    key: str
    label: str


@dataclass(frozen=True)
class Conflict:
    """Items that are nearly the same, and were labelled differently."""

    items: tuple[LabelledItem, ...]


class Doubting:
    """A label that is given once more, as it was, is no longer doubted."""

    def __init__(
        self,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        encoded: Callable[[], EncodedPool],
        labels: LabelStore,
    ) -> None:
        self._catalog = catalog
        self._snapshot = snapshot
        self._encoded = encoded
        self._labels = labels
        self._lock = threading.Lock()
        self._conflicts: tuple[int, list[Conflict]] = (-1, [])  # of the revision they were found at

    def suspects(self) -> list[tuple[LabelledItem, Suspect]]:
        """Labels by people that the present model was fitted to and doubts, the worst first.

        Held-out items are not among them: to mend just those that the model gets wrong would flatter it.
        """
        snapshot, view = self._snapshot(), self._catalog.view
        if snapshot is None:
            return []
        kept = self._labels.given_twice()
        found = []
        for suspect in snapshot.suspects:
            at = int(view.positions([suspect.item])[0])
            if at >= 0 and suspect.item not in kept and self._label(view, at) == suspect.label:
                found.append((LabelledItem(suspect.item, view.keys[at], suspect.label), suspect))
        return found

    def conflicts(self) -> list[Conflict]:
        """Groups of near-duplicates whose labels differ, but for those where each was given twice."""
        view = self._catalog.view
        with self._lock:
            if self._conflicts[0] != view.revision and self._encoded().ready:
                self._conflicts = (view.revision, self._find_conflicts(view))
            return self._conflicts[1]

    def _find_conflicts(self, view: CatalogView) -> list[Conflict]:
        at = np.flatnonzero(view.labelled & ~view.certified)
        encoded = self._encoded()  # once: rows of one pool mean nothing in another
        rows = encoded.rows(view.ids[at])
        at, rows = at[rows >= 0][:MOST_COMPARED], rows[rows >= 0][:MOST_COMPARED]
        if len(at) < 2:
            return []
        groups = conflicting(duplicate_groups(encoded.points(rows)), view.labels[at])
        kept = self._labels.given_twice()
        found = [
            Conflict(
                tuple(
                    LabelledItem(int(view.ids[one]), view.keys[one], self._label(view, one) or "")
                    for one in at[group]
                )
            )
            for group in groups
        ]
        return [one for one in found if not all(item.item in kept for item in one.items)]

    def _label(self, view: CatalogView, at: int) -> str | None:
        return self._catalog.classes[view.labels[at]] if view.labels[at] >= 0 else None
