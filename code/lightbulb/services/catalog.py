"""The pool and its labels in memory: an immutable view, swapped whenever the database has changed.

The database is written first, always; the view follows. Readers take one view and work on that, so
nobody sees half a change. Arrays are aligned by position and ids ascend, so a million items cost a
few megabytes and no Python loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lightbulb.records import LOOKED_AT, Bools, Float64s, Ints, Item, ItemId, Label, Source, positions_in
from lightbulb.store.batches import BatchStore
from lightbulb.store.items import ItemStore
from lightbulb.store.labels import LabelStore

SOURCES = tuple(Source)
# What the view says of an item that nobody has labelled.
UNLABELLED: Mapping[str, int | bool] = {
    "labels": -1, "sources": -1, "annotators": -1, "given_at": 0, "asked": False, "skipped_at": 0,
    "in_flight": False, "orphaned": False,
}  # fmt: skip
CLEAN = 20  # items a batch must have held for its being all right to count


@dataclass(frozen=True)
class CatalogView:
    """One state of the pool.

    revision: grows with every change; items_revision: with every change of the items themselves.
    last_action: newest action in it. ids: int64 (n,) ascending; the other arrays are aligned to it.
    labels: class index, -1 while unlabelled. sources: index into SOURCES. annotators: index into the
    catalog's names of them. given_at: when, microseconds since 1970 (UTC), 0 while unlabelled.
    asked: labelled, and a person was asked about it, whoever has changed the label since.
    skipped_at: action that skipped it last, 0 if none.
    in_flight: someone had it on the screen when this view was made.
    barred_items, barred_labels: pairs (item, class index) that a person said no to.
    recalled: the newest model whose proposals a failed audit called back, 0 if none.
    doubts: per class, how often its proposals failed of late, int64 (n_classes,).
    orphaned: its label in force is of a class no longer in the config; it counts as unlabelled.
    """

    revision: int
    items_revision: int
    last_action: int
    ids: Ints
    keys: tuple[str, ...]
    draws: Float64s
    held_out: Bools
    broken: Bools
    labels: Ints
    sources: Ints
    annotators: Ints
    given_at: Ints
    asked: Bools
    skipped_at: Ints
    in_flight: Bools
    barred_items: Ints
    barred_labels: Ints
    recalled: int
    doubts: Ints
    orphaned: Bools

    def positions(self, items: Sequence[ItemId] | Ints) -> Ints:
        """Position of each id, -1 if there is no such item."""
        return positions_in(self.ids, np.asarray(items, dtype=np.int64))

    # Found once for each view, since every request asks for them; read-only, since all share them.

    @cached_property
    def labelled(self) -> Bools:
        return _read_only(self.labels >= 0)

    @cached_property
    def askable(self) -> Bools:
        return _read_only((self.labels < 0) & ~self.broken)

    @cached_property
    def skipped(self) -> Bools:
        """Unlabelled, and passed over at least once."""
        return _read_only(self.askable & (self.skipped_at > 0))

    @cached_property
    def teaching(self) -> Bools:
        """Labels that a model is fitted to: what a person has seen, but for the held-out items.

        A certified label is the model's own guess; learning from it would only make it surer.
        """
        return _read_only(self.labelled & ~self.held_out & ~self.certified)

    @cached_property
    def certified(self) -> Bools:
        return _read_only(self.sources == SOURCES.index(Source.CERTIFIED))

    @cached_property
    def looked_at(self) -> Bools:
        """A person saw these and said what they are, or the file that they come from says so."""
        return _read_only(np.isin(self.sources, [SOURCES.index(source) for source in LOOKED_AT]))

    @cached_property
    def imported(self) -> Bools:
        """From a file that does not say how it came by them."""
        return _read_only(self.sources == SOURCES.index(Source.IMPORTED))

    @cached_property
    def measured(self) -> Bools:
        """Held-out items that the accuracy is measured on.

        Held-out items are asked in the order of their draws. Up to the last one asked, all that are
        labelled count, however they came by their label (but for a person's look): a uniform sample.
        Beyond it, or beyond the first one that nobody was asked about yet, only what the model was sure of
        would be labelled, and that would flatter it (someone may have labelled a late one unasked). From the
        first certified one on, those that nobody looked at are missing, and the others are the harder ones.
        """
        waiting = self.held_out & self.askable & (self.skipped_at == 0) & ~self.in_flight
        end = self.draws[waiting | (self.held_out & self.certified)].min(initial=np.inf)
        return _read_only(self.labelled & self.held_out & (self.draws <= self.frontier) & (self.draws < end))

    @cached_property
    def frontier(self) -> float:
        """Largest draw of a held-out item that was asked about, -1 before the first."""
        asked = self.held_out & self.asked
        return float(self.draws[asked].max()) if asked.any() else -1.0

    def allowed_proposals(self, items: Ints, best: Ints) -> Bools:
        """Which of the items may be proposed as their class in `best`: unlabelled, readable, not refused."""
        at = self.positions(items)
        allowed = (at >= 0) & self.askable[at]
        if len(self.barred_items):
            n_classes = max(int(best.max(initial=0)), int(self.barred_labels.max())) + 1
            refused = self.barred_items * n_classes + self.barred_labels
            allowed &= ~np.isin(items * n_classes + best, refused)
        return allowed


def _read_only(mask: Bools) -> Bools:
    mask.flags.writeable = False
    return mask


class Catalog:
    def __init__(
        self,
        items: ItemStore,
        labels: LabelStore,
        batches: BatchStore,
        classes: Sequence[str],
        held: Callable[[], Collection[ItemId]] = tuple,
    ) -> None:
        """held: the items that someone has on the screen now."""
        self._held = held
        self._items = items
        self._labels = labels
        self._batches = batches
        self.classes = tuple(classes)
        self._class_index = {name: index for index, name in enumerate(classes)}
        self._annotator_index: dict[str, int] = {}
        self._lock = threading.RLock()
        self._view = self._load(revision=1, items_revision=1)

    @property
    def view(self) -> CatalogView:
        return self._view

    @property
    def annotators(self) -> tuple[str, ...]:
        """Everyone whose label was ever in force since the start; their order never changes."""
        return tuple(self._annotator_index)

    def reload(self) -> None:
        """Reads everything anew: after a scan or an import."""
        with self._lock:
            view = self._view
            self._view = self._load(revision=view.revision + 1, items_revision=view.items_revision + 1)

    def take_in(self, added: Sequence[Item]) -> None:
        """These items are new, or have a file again; the database knows them already."""
        with self._lock:
            view = self._view
            at = view.positions([item.id for item in added])
            new = sorted((item for item, known in zip(added, at, strict=True) if known < 0), key=_id_of)
            broken = view.broken.copy()
            broken[at[at >= 0]] = False
            grown: dict[str, Any] = {
                name: np.append(getattr(view, name), np.full(len(new), empty, getattr(view, name).dtype))
                for name, empty in UNLABELLED.items()
            }
            self._view = replace(
                view,
                **grown,
                revision=view.revision + 1,
                items_revision=view.items_revision + 1,
                ids=np.append(view.ids, np.array([item.id for item in new], dtype=np.int64)),
                keys=(*view.keys, *(item.key for item in new)),
                draws=np.append(view.draws, np.array([item.draw for item in new], dtype=np.float64)),
                held_out=np.append(view.held_out, np.array([item.held_out for item in new], dtype=np.bool_)),
                broken=np.append(broken, np.zeros(len(new), dtype=np.bool_)),
            )

    def refresh(self, touched: Collection[ItemId], *, judged: bool = True) -> None:
        """Reads anew what is known of these items, and of these alone: an answer must not cost more
        the more there were before it. judged: proposals may have been judged, or such a judgement undone.
        """
        with self._lock:
            view = self._view
            at = view.positions(list(touched))
            state = _LabelState.of(view)
            self._fill(view, at, self._labels.current(touched), self._labels.asked(touched), state)
            barred_items, barred_labels = view.barred_items, view.barred_labels
            recalled, doubts = view.recalled, view.doubts
            if judged:
                barred_items, barred_labels = self._barred_anew(view, touched)
                recalled, doubts = self._failures()
            self._view = replace(
                view,
                revision=view.revision + 1,
                last_action=self._labels.last_action(),
                **vars(state),
                skipped_at=self._skipped_anew(view, touched),
                in_flight=self._in_flight(view),
                barred_items=barred_items,
                barred_labels=barred_labels,
                recalled=recalled,
                doubts=doubts,
            )

    def mark_broken(self, reasons: Mapping[ItemId, str]) -> None:
        """These items cannot be read; the database knows it already."""
        if not reasons:
            return
        with self._lock:
            broken = self._view.broken.copy()
            broken[self._view.positions(list(reasons))] = True
            self._view = replace(self._view, revision=self._view.revision + 1, broken=broken)

    def _load(self, *, revision: int, items_revision: int) -> CatalogView:
        columns = self._items.columns()
        n = len(columns.ids)
        barred_items, barred_labels = self._barred(self._batches.rejections())
        recalled, doubts = self._failures()
        view = CatalogView(
            revision=revision,
            items_revision=items_revision,
            last_action=self._labels.last_action(),
            ids=columns.ids,
            keys=columns.keys,
            draws=columns.draws,
            held_out=columns.held_out,
            broken=columns.broken,
            **{name: np.full(n, empty) for name, empty in UNLABELLED.items()},
            barred_items=barred_items,
            barred_labels=barred_labels,
            recalled=recalled,
            doubts=doubts,
        )
        state = _LabelState.of(view)
        nothing = np.empty(0, dtype=np.int64)
        self._fill(view, nothing, self._labels.current(), self._labels.asked(), state)
        return replace(
            view,
            **vars(state),
            skipped_at=_skipped_at(view, view.skipped_at, self._labels.skips()),
            in_flight=self._in_flight(view),
        )

    def _fill(
        self, view: CatalogView, cleared: Ints, rows: Sequence[Label], asked: set[ItemId], state: _LabelState
    ) -> None:
        """Writes labels in force into the arrays."""
        state.labels[cleared], state.sources[cleared], state.annotators[cleared] = -1, -1, -1
        state.given_at[cleared] = 0
        state.asked[cleared], state.orphaned[cleared] = False, False
        known = [row for row in rows if row.value in self._class_index]
        at = view.positions([row.item for row in known])
        state.labels[at] = [self._class_index[row.value] for row in known]
        state.sources[at] = [SOURCES.index(row.source) for row in known]
        state.asked[at] = [row.item in asked for row in known]
        known_by = self._annotator_index
        state.annotators[at] = [known_by.setdefault(row.annotator, len(known_by)) for row in known]
        state.given_at[at] = np.array([row.created_at for row in known], dtype="datetime64[us]").astype(
            np.int64
        )
        others = [row.item for row in rows if row.value not in self._class_index]
        state.orphaned[view.positions(others)] = True

    def _in_flight(self, view: CatalogView) -> Bools:
        in_flight = np.zeros(len(view.ids), dtype=np.bool_)
        at = view.positions(list(self._held()))
        in_flight[at[at >= 0]] = True
        return in_flight

    def _skipped_anew(self, view: CatalogView, touched: Collection[ItemId]) -> Ints:
        at, skips = view.positions(list(touched)), self._labels.skips(touched)
        if not skips and not view.skipped_at[at].any():
            return view.skipped_at
        cleared = view.skipped_at.copy()
        cleared[at] = 0
        return _skipped_at(view, cleared, skips)

    def _barred(self, rejections: Iterable[tuple[ItemId, str]]) -> tuple[Ints, Ints]:
        pairs = [(item, self._class_index[name]) for item, name in rejections if name in self._class_index]
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def _barred_anew(self, view: CatalogView, touched: Collection[ItemId]) -> tuple[Ints, Ints]:
        items, labels = self._barred(self._batches.rejections(touched))
        others = ~np.isin(view.barred_items, list(touched))
        return (
            np.concatenate([view.barred_items[others], items]),
            np.concatenate([view.barred_labels[others], labels]),
        )

    def _failures(self) -> tuple[int, Ints]:
        """(newest recalled model, doubts per class): a failed batch adds one, a clean one takes one off."""
        recalled, doubts = 0, np.zeros(len(self._class_index), dtype=np.int64)
        for batch in self._batches.answered():
            index = self._class_index.get(batch.label)
            if index is None:
                continue
            if batch.recalled is not None:
                recalled = max(recalled, batch.recalled)
                doubts[index] += 1
            elif batch.rejected == 0 and batch.judged >= CLEAN:
                doubts[index] = max(0, doubts[index] - 1)
        return recalled, doubts


def _id_of(item: Item) -> ItemId:
    return item.id


def _skipped_at(view: CatalogView, before: Ints, skips: Mapping[ItemId, int]) -> Ints:
    skipped_at = before.copy()
    skipped_at[view.positions(list(skips))] = list(skips.values())
    return skipped_at


@dataclass
class _LabelState:
    """Copies of a view's arrays, to be written."""

    labels: Ints
    sources: Ints
    annotators: Ints
    given_at: Ints
    asked: Bools
    orphaned: Bools

    @classmethod
    def of(cls, view: CatalogView) -> _LabelState:
        return cls(
            view.labels.copy(),
            view.sources.copy(),
            view.annotators.copy(),
            view.given_at.copy(),
            view.asked.copy(),
            view.orphaned.copy(),
        )
