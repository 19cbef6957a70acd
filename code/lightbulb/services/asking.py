"""The next questions: a held-out item every k-th time, else what the query strategy wants to know."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

import numpy as np

from lightbulb.querying import Pool, QueryStrategy
from lightbulb.querying.select import select
from lightbulb.records import Bools, Float32s, Ints, ItemId, Question, Snapshot
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.leases import Leases

SKIPPED_FOR = 50  # actions before a skipped item is asked again
MOST_KNOWN = 2000  # labelled items that a strategy is told of
MOST_IN_POOL = 50_000  # items that a strategy chooses from: a uniform sample of more than that


class Asking:
    """check: which of some items can be shown; it marks the others broken."""

    def __init__(
        self,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        strategy: QueryStrategy,
        encoded: EncodedPool,
        check: Callable[[Collection[ItemId]], list[ItemId]],
        *,
        holdout_every: int,
        rng: np.random.Generator,
        leases: Leases,
    ) -> None:
        self._catalog = catalog
        self._snapshot = snapshot
        self._strategy = strategy
        self._encoded = encoded
        self._check = check
        self._holdout_every = holdout_every
        self._rng = rng
        self._leases = leases
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
                picked = self._check(wanted)  # the others are marked broken now
                self._leases.take(client, picked)
                chosen += picked
        return self.questions(chosen), int(self._catalog.view.askable.sum())

    def questions(self, items: Collection[ItemId]) -> list[Question]:
        """Those of the items that are open, as questions, with the present model's guess."""
        view, snapshot = self._catalog.view, self._snapshot()
        return [
            Question(item, view.keys[at], snapshot.prediction(item), snapshot.class_probs(item))
            if snapshot
            else Question(item, view.keys[at], None)
            for item, at in zip(items, view.positions(list(items)), strict=True)
            if at >= 0 and view.labels[at] < 0
        ]

    def _choose(self, count: int) -> list[ItemId]:
        """Up to `count` ids that nobody holds, in the order to ask them."""
        view = self._catalog.view
        held = view.positions(self._leases.held())
        held = held[held >= 0]
        free = view.askable.copy()
        free[held] = False
        skipped = np.zeros(len(free), dtype=np.bool_)
        at = np.flatnonzero(view.skipped)  # few as a rule: no arithmetic on a million
        skipped[at] = free[at] & (view.last_action - view.skipped_at[at] < SKIPPED_FOR)
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
        barred = view.positions(np.unique(view.barred_items))
        set_aside = barred[free[barred]]
        rest = free.copy()
        rest[set_aside] = False
        ids = view.ids[self._candidates(view, rest, count)]
        chosen = select(self._strategy, self._pool(view, ids), count, self._rng)
        return [*view.ids[set_aside[:count]].tolist(), *chosen]

    def _candidates(self, view: CatalogView, free: Bools, count: int) -> Ints:
        """Positions of the items that the strategy may choose from, ascending.

        Of a large pool it sees a uniform sample, of what is encoded if that is enough: the most uncertain
        of 50,000 items are little less so than those of a million, and found while a person waits.
        """
        positions = np.flatnonzero(free)
        if len(positions) <= MOST_IN_POOL:
            return positions
        if self._encoded.n_pending:
            encoded = positions[self._encoded.rows(view.ids[positions]) >= 0]
            if count <= len(encoded) < MOST_IN_POOL:
                return encoded
            positions = encoded if len(encoded) >= MOST_IN_POOL else positions
        drawn = np.sort(self._rng.integers(len(positions), size=MOST_IN_POOL))
        return positions[drawn[np.diff(drawn, prepend=-1) > 0]]

    def _pool(self, view: CatalogView, ids: Ints) -> Pool:
        """The items as the strategy sees them, and what is labelled or being asked beside them."""
        snapshot = self._snapshot()
        probs = votes = None
        if snapshot is not None:
            at = snapshot.rows_of(ids)
            probs = _spread(snapshot.probs, at)
            votes = None if snapshot.votes is None else np.stack([_spread(one, at) for one in snapshot.votes])
        if "points" not in self._strategy.needs or not self._encoded.ready:
            return Pool(ids, probs, votes=votes)
        rows = self._encoded.rows(ids)
        known, known_labels = self._known(view)
        return Pool(ids, probs, _Points(self._encoded, rows), votes, known, known_labels, rows >= 0)

    def _known(self, view: CatalogView) -> tuple[Float32s, Ints]:
        """(points, class indices) of what people labelled last and, as -1, of what they are asked now."""
        held = view.positions(self._leases.held())
        asked = held[(held >= 0) & ~view.held_out[held] & ~view.labelled[held]]
        labelled = np.flatnonzero(view.teaching)[-MOST_KNOWN:]
        at = np.concatenate([labelled, asked])
        rows = self._encoded.rows(view.ids[at])
        return self._encoded.points(rows[rows >= 0]), view.labels[at][rows >= 0]


class _Points:
    """Points of a pool by its rows. rows: of the embedding cache, one for each row of the pool."""

    def __init__(self, encoded: EncodedPool, rows: Ints) -> None:
        self._encoded = encoded
        self._rows = rows

    def __call__(self, wanted: Ints) -> Float32s:
        return self._encoded.points(self._rows[wanted])


def _by_draw(view: CatalogView, mask: Bools) -> list[ItemId]:
    positions = np.flatnonzero(mask)
    return [int(item) for item in view.ids[positions[np.argsort(view.draws[positions])]]]


def _spread(scored: Float32s, rows: Ints) -> Float32s:
    """Rows of what was scored, NaN where the row is -1. float32 (n, n_classes)."""
    spread = np.full((len(rows), scored.shape[1]), np.nan, dtype=np.float32)
    spread[rows >= 0] = scored[rows[rows >= 0]]
    return spread
