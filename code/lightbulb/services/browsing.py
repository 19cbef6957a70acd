"""The Dataset page's list: which items match, in which order, and what is shown of each.

Everything is arithmetic on the catalog's columns; only the items of one page are asked of the database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightbulb.errors import InputError
from lightbulb.records import Bools, Flag, Float64s, Ints, Item, ItemId, Label, Prediction, Snapshot, Source
from lightbulb.services.catalog import SOURCES, Catalog, CatalogView
from lightbulb.services.confirming import Confirming
from lightbulb.services.flagging import Flagging
from lightbulb.services.likeness import Likeness
from lightbulb.services.listing import Listing
from lightbulb.store.items import ItemStore
from lightbulb.store.labels import LabelStore
from lightbulb.tasks import Task

STATES = ("all", "labelled", "unlabelled", "proposed", "skipped", "broken", "flagged")
SORTS = ("name", "added", "confidence", "time", "similarity")
LISTS_KEPT = 6  # ready lists, 8 bytes an item: the further pages of one cost nothing


@dataclass(frozen=True)
class ItemFilter:
    """label: its class; among the proposed ones the proposed class. annotator, source: of its label.
    text: part of its key. disagrees: labelled otherwise than the model would. like: only encoded items,
    to be compared with this one. sort: None for `similarity` with `like`, else `name`.
    """

    state: str = "all"
    label: str | None = None
    annotator: str | None = None
    source: str | None = None
    text: str = ""
    disagrees: bool = False
    like: ItemId | None = None
    sort: str | None = None
    descending: bool = False

    @property
    def order(self) -> str:
        return self.sort or ("name" if self.like is None else "similarity")

    @property
    def asks_the_model(self) -> bool:
        """Whether another model may mean another list."""
        return self.disagrees or self.state == "proposed" or self.order == "confidence"


@dataclass(frozen=True)
class ItemRow:
    """proposal: only if it is proposed now; guess: what the model says of it, if it was scored.
    similarity: to the item that the list compares with, -1 to 1.
    """

    item: Item
    state: str
    label: Label | None
    proposal: Prediction | None
    guess: Prediction | None
    flag: Flag | None
    similarity: float | None


@dataclass(frozen=True)
class _Found:
    """A ready list, and what it was made from: stale once one of these is another."""

    view: CatalogView
    snapshot: Snapshot | None
    flags: bytes
    positions: Ints


class Browsing:
    def __init__(
        self,
        task: Task,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        items: ItemStore,
        labels: LabelStore,
        confirming: Confirming,
        flagging: Flagging,
        listing: Listing,
        likeness: Likeness,
    ) -> None:
        self._task = task
        self._catalog = catalog
        self._snapshot = snapshot
        self._items = items
        self._labels = labels
        self._confirming = confirming
        self._flagging = flagging
        self._listing = listing
        self._likeness = likeness
        self._lock = threading.Lock()
        self._lists: dict[ItemFilter, _Found] = {}

    def page(self, wanted: ItemFilter, offset: int, limit: int) -> tuple[int, list[ItemRow]]:
        """(how many match, one page of them).

        Raises: InputError for an unknown state, source or order; LabelError for an unknown class;
        NotFound, NotReady if there is nothing to compare with.
        """
        found = self._find(wanted)
        ids = found.view.ids[found.positions[offset : offset + limit]]
        return len(found.positions), self._rows(found.view, ids, wanted.like)

    def ids(self, wanted: ItemFilter, offset: int, limit: int) -> tuple[int, list[ItemId]]:
        """As `page`, but the items' ids alone."""
        found = self._find(wanted)
        return len(found.positions), found.view.ids[found.positions[offset : offset + limit]].tolist()

    def rows(self, items: list[ItemId]) -> list[ItemRow]:
        """These items, those that there are."""
        return self._rows(self._catalog.view, np.array(items, dtype=np.int64), None)

    # --- which, in which order ---------------------------------------------------------------------

    def _find(self, wanted: ItemFilter) -> _Found:
        view, flags = self._catalog.view, self._flagging.items()
        snapshot = self._snapshot() if wanted.asks_the_model else None
        if wanted.order not in SORTS:
            raise InputError(
                f"unknown order {wanted.order!r} (known: {', '.join(SORTS)})", code="unknown_sort"
            )
        with self._lock:
            known = self._lists.get(wanted)
        now = (view, snapshot, flags.tobytes())
        if known is None or not _same(known, *now):
            mask = self._mask(view, snapshot, flags, wanted)
            known = _Found(*now, self._order(view, snapshot, mask, wanted))
            with self._lock:  # a stale list would keep its whole view of the catalog in memory
                lists = [(key, one) for key, one in self._lists.items() if one.view is view]
                self._lists = dict([*lists[-LISTS_KEPT + 1 :], (wanted, known)])
        return known

    def _mask(self, view: CatalogView, snapshot: Snapshot | None, flags: Ints, wanted: ItemFilter) -> Bools:
        mask, labels = self._of_state(view, flags, wanted.state)
        if wanted.label is not None:
            mask = mask & (labels == self._task.classes.index(self._task.check_value(wanted.label)))
        if wanted.annotator is not None:
            names = self._catalog.annotators
            index = names.index(wanted.annotator) if wanted.annotator in names else len(names)
            mask = mask & view.labelled & (view.annotators == index)
        if wanted.source is not None:
            mask = mask & (view.sources == _source_index(wanted.source))
        if wanted.disagrees:
            mask = mask & self._disagreeing(view, snapshot)
        if wanted.like is not None:
            mask = mask & ~np.isnan(self._likeness.to(wanted.like, view))
        if wanted.text:
            mask = mask & self._listing.matching(view, wanted.text)
        return mask

    def _of_state(self, view: CatalogView, flags: Ints, state: str) -> tuple[Bools, Ints]:
        """(which are in the state, the class of each that a filter by class means)."""
        match state:
            case "all":
                return np.ones(len(view.ids), dtype=np.bool_), view.labels
            case "labelled":
                return view.labelled, view.labels
            case "unlabelled":
                return view.askable, view.labels
            case "broken":
                return view.broken, view.labels
            case "skipped":
                return view.skipped, view.labels
            case "flagged":
                return _at(view, flags), view.labels
            case "proposed":
                return self._proposed(view)
        raise InputError(f"unknown state {state!r} (known: {', '.join(STATES)})", code="unknown_state")

    def _proposed(self, view: CatalogView) -> tuple[Bools, Ints]:
        labels = np.full(len(view.ids), -1, dtype=np.int64)
        proposals = self._confirming.proposals()
        if proposals is not None:
            at = view.positions(proposals.item_ids)
            labels[at[at >= 0]] = proposals.labels[at >= 0]
        return labels >= 0, labels

    def _disagreeing(self, view: CatalogView, snapshot: Snapshot | None) -> Bools:
        found = np.zeros(len(view.ids), dtype=np.bool_)
        if snapshot is not None:
            at = np.flatnonzero(view.labelled)
            rows = snapshot.rows_of(view.ids[at])
            at, rows = at[rows >= 0], rows[rows >= 0]
            found[at] = snapshot.probs[rows].argmax(axis=1) != view.labels[at]
        return found

    def _order(self, view: CatalogView, snapshot: Snapshot | None, mask: Bools, wanted: ItemFilter) -> Ints:
        """Positions of what the mask leaves. What has no confidence or time comes last either way."""
        order = wanted.order
        if order == "added":
            found = np.flatnonzero(mask)
            return found[::-1] if wanted.descending else found
        by_key = self._listing.by_key(view)
        found = by_key[mask[by_key]]
        if order == "name":
            return found[::-1] if wanted.descending else found
        keys = self._keys(view, snapshot, wanted)[found]
        # the more alike, the earlier: nobody asks for the least alike first, unless they say so
        downwards = wanted.descending != (order == "similarity")
        return found[np.argsort(-keys if downwards else keys, kind="stable")]

    def _keys(self, view: CatalogView, snapshot: Snapshot | None, wanted: ItemFilter) -> Float64s:
        """What to sort by, float64 (n,), NaN where there is nothing."""
        keys = np.full(len(view.ids), np.nan)
        if wanted.order == "similarity":
            if wanted.like is None:
                raise InputError("sorting by similarity needs `like`, the item to compare with")
            return self._likeness.to(wanted.like, view).astype(np.float64)
        if wanted.order == "time":
            keys[view.labelled] = view.given_at[view.labelled]
        elif snapshot is not None:
            rows = snapshot.rows_of(view.ids)
            keys[rows >= 0] = snapshot.scores[rows[rows >= 0]]
        return keys

    # --- what is shown -----------------------------------------------------------------------------

    def _rows(self, view: CatalogView, ids: Ints, like: ItemId | None) -> list[ItemRow]:
        records = self._items.get(ids.tolist())
        items = [records[item] for item in ids.tolist() if item in records]
        labels = {one.item: one for one in self._labels.current([item.id for item in items])}
        similarities = None if like is None else self._likeness.to(like, view)
        proposed = self._proposed_among(ids)
        snapshot = self._snapshot()
        rows = []
        for item, at in zip(items, view.positions([item.id for item in items]).tolist(), strict=True):
            label, guess = labels.get(item.id), snapshot.prediction(item.id) if snapshot else None
            proposal = guess if item.id in proposed else None
            rows.append(
                ItemRow(
                    item=item,
                    state=_state(item, label, proposal, skipped=at >= 0 and view.skipped_at[at] > 0),
                    label=label,
                    proposal=proposal,
                    guess=guess,
                    flag=self._flagging.of(item.id),
                    similarity=None if similarities is None or at < 0 else float(similarities[at]),
                )
            )
        return rows

    def _proposed_among(self, ids: Ints) -> set[ItemId]:
        proposals = self._confirming.proposals()
        if proposals is None or not len(proposals.item_ids):
            return set()
        at = np.minimum(np.searchsorted(proposals.item_ids, ids), len(proposals.item_ids) - 1)
        return set(ids[proposals.item_ids[at] == ids].tolist())


def _same(known: _Found, view: CatalogView, snapshot: Snapshot | None, flags: bytes) -> bool:
    return known.view is view and known.snapshot is snapshot and known.flags == flags


def _state(item: Item, label: Label | None, proposal: Prediction | None, *, skipped: bool) -> str:
    if item.broken:
        return "broken"
    if label:
        return "labelled"
    return "proposed" if proposal else "skipped" if skipped else "unlabelled"


def _at(view: CatalogView, ids: Ints) -> Bools:
    mask = np.zeros(len(view.ids), dtype=np.bool_)
    at = view.positions(ids)
    mask[at[at >= 0]] = True
    return mask


def _source_index(name: str) -> int:
    try:
        return SOURCES.index(Source(name))
    except ValueError:
        known = ", ".join(Source)
        raise InputError(f"unknown source {name!r} (known: {known})", code="unknown_source") from None
