"""The next questions: a held-out item every k-th time, else what the query strategy wants to know."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

import numpy as np

from lightbulb.querying import Pool, QueryStrategy
from lightbulb.querying.select import select
from lightbulb.records import Bools, Ints, ItemId, Question, Snapshot
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.leases import Leases

SKIPPED_FOR = 50  # actions before a skipped item is asked again


class Asking:
    """check: makes sure an item can be shown, and marks it broken if it can't."""

    def __init__(
        self,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        strategy: QueryStrategy,
        check: Callable[[ItemId], bool],
        *,
        holdout_every: int,
        rng: np.random.Generator,
        leases: Leases | None = None,
    ) -> None:
        self._catalog = catalog
        self._snapshot = snapshot
        self._strategy = strategy
        self._check = check
        self._holdout_every = holdout_every
        self._rng = rng
        self._leases = leases or Leases()
        self._lock = threading.Lock()

    def next_questions(
        self, count: int, *, client: str = "", have: Collection[ItemId] = ()
    ) -> tuple[list[Question], int]:
        """(up to `count` new questions, how many items are still unlabelled).

        client: who asks. have: items it has not answered yet; its other leases end, these are renewed.
        """
        with self._lock:
            self._leases.renew(client, have)
            chosen: list[ItemId] = []
            while len(chosen) < count:
                wanted = self._choose(count - len(chosen))
                if not wanted:
                    break
                picked = [item for item in wanted if self._check(item)]  # the others are marked broken now
                self._leases.take(client, picked)
                chosen += picked
        return self.questions(chosen), int(self._catalog.view.askable.sum())

    def questions(self, items: Collection[ItemId]) -> list[Question]:
        """Items as questions, with the present model's guess."""
        view, snapshot = self._catalog.view, self._snapshot()
        return [
            Question(item, view.keys[at], snapshot.prediction(item) if snapshot else None)
            for item, at in zip(items, view.positions(list(items)), strict=True)
            if at >= 0
        ]

    def _choose(self, count: int) -> list[ItemId]:
        """Up to `count` ids that nobody holds, in the order to ask them."""
        view = self._catalog.view
        held = view.positions(self._leases.held())
        held = held[held >= 0]
        free = view.askable
        free[held] = False
        skipped = free & (view.skipped_at > 0) & (view.last_action - view.skipped_at < SKIPPED_FOR)
        fresh = free & ~skipped
        held_out = _by_draw(view, fresh & view.held_out)
        wanted = self._from_strategy(view, fresh & ~view.held_out, count)
        asked_of_held_out = int((view.asked & view.held_out).sum() + view.held_out[held].sum())
        asked_at_all = int(view.asked.sum()) + len(held)
        order: list[ItemId] = []
        while len(order) < count and (held_out or wanted):
            due = asked_of_held_out < (asked_at_all + 1) // self._holdout_every
            if held_out and (due or not wanted):
                order.append(held_out.pop(0))
                asked_of_held_out += 1
            else:
                order.append(wanted.pop(0))
            asked_at_all += 1
        if len(order) < count:  # all others are labelled: the skipped ones again, the longest ago first
            oldest = np.flatnonzero(skipped)[np.argsort(view.skipped_at[skipped], kind="stable")]
            order += [int(item) for item in view.ids[oldest][: count - len(order)]]
        return order

    def _from_strategy(self, view: CatalogView, free: Bools, count: int) -> list[ItemId]:
        """Items a person set aside in a batch come first: someone has looked and left them open."""
        set_aside = [
            int(item) for item in np.unique(view.barred_items) if free[view.positions([int(item)])[0]]
        ]
        rest = free.copy()
        rest[view.positions(set_aside)] = False
        ids = view.ids[rest]
        snapshot = self._snapshot()
        pool = Pool(ids, None if snapshot is None else _probs_of(snapshot, ids))
        return [*set_aside[:count], *select(self._strategy, pool, count, self._rng)]


def _by_draw(view: CatalogView, mask: Bools) -> list[ItemId]:
    positions = np.flatnonzero(mask)
    return [int(item) for item in view.ids[positions[np.argsort(view.draws[positions])]]]


def _probs_of(snapshot: Snapshot, ids: Ints) -> np.ndarray:
    """float32 (n, n_classes), NaN where the model has not scored an item yet."""
    rows = snapshot.rows_of(ids)
    probs = np.full((len(ids), len(snapshot.classes)), np.nan, dtype=np.float32)
    probs[rows >= 0] = snapshot.probs[rows[rows >= 0]]
    return probs
