"""Groups of near-duplicates in the whole pool: looked for when someone asks, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog

from lightbulb.records import Bools, Ints, ItemId
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.doubting import LabelledItem
from lightbulb.services.encoded import EncodedPool
from lightbulb.store.labels import LabelStore
from lightbulb.training.near_duplicates import MOST_EXACT, duplicate_labels

log = structlog.get_logger()

MOST_SHOWN = 60  # items of one group: a thousand empty frames are a group, too
YIELD_SECONDS = 0.001  # between two pieces of the search, for those who wait for an answer


@dataclass(frozen=True)
class DuplicateGroup:
    """size: how many items are alike; items: the first of them. labels: how often each was given, without
    the unlabelled ones. kind: conflict (labels differ), partly (some are unlabelled), unlabelled, or settled.
    """

    items: tuple[LabelledItem, ...]
    size: int
    labels: dict[str, int]
    kind: str


@dataclass(frozen=True)
class DuplicatesPage:
    """state: waiting (for embeddings), searching, or ready. compared: items that were; total: items.

    exact: each was compared with each. counts: groups by kind.
    """

    state: str
    compared: int
    total: int
    exact: bool
    groups: tuple[DuplicateGroup, ...]
    counts: dict[str, int]


@dataclass(frozen=True)
class _Found:
    """members: item ids, group after group. starts: where each group begins. encoded: items of `pool`."""

    members: Ints
    starts: Ints
    pool: EncodedPool
    encoded: int
    exact: bool


KINDS = ("conflict", "partly", "unlabelled", "settled")


class Duplicates:
    def __init__(self, catalog: Catalog, encoded: Callable[[], EncodedPool], labels: LabelStore) -> None:
        self._catalog = catalog
        self._encoded = encoded
        self._labels = labels
        self._lock = threading.Lock()
        self._found: _Found | None = None
        self._searching: threading.Thread | None = None

    def page(self, offset: int, limit: int) -> DuplicatesPage:
        """Groups that need someone first: labelled differently, then partly, then not at all.

        A group whose labels differ, but were each given twice, is settled. Starts the search where there is
        something new to compare; what was found before is shown meanwhile.
        """
        view, total = self._catalog.view, int((~self._catalog.view.broken).sum())
        with self._lock:
            found, pool = self._found, self._encoded()
            stale = pool.ready and (found is None or found.pool is not pool or found.encoded != pool.count)
            # While items are still being encoded the count grows all the time: once is enough until then.
            if stale and self._searching is None and (found is None or not pool.n_pending):
                self._searching = threading.Thread(target=self._search, name="duplicates", daemon=True)
                self._searching.start()
            state = "searching" if self._searching is not None else "waiting" if found is None else "ready"
        if found is None:
            return DuplicatesPage(state, 0, total, True, (), dict.fromkeys(KINDS, 0))
        kinds = self._kinds(view, found)
        order = np.argsort(kinds, kind="stable")[offset : offset + limit]
        groups = tuple(self._group(view, found, int(one), KINDS[kinds[one]]) for one in order)
        counts = np.bincount(kinds, minlength=len(KINDS)).tolist()
        return DuplicatesPage(
            state, found.encoded, total, found.exact, groups, dict(zip(KINDS, counts, strict=True))
        )

    def wait(self) -> None:
        """Until no search is running."""
        thread = self._searching
        if thread is not None:
            thread.join()

    def _search(self) -> None:
        try:
            found = self._look()
            with self._lock:
                self._found = found
        except Exception as error:  # a later request tries again
            log.error("duplicates.failed", error=str(error), exc_info=True)
        finally:
            with self._lock:
                self._searching = None

    def _look(self) -> _Found:
        started, view, pool = time.monotonic(), self._catalog.view, self._encoded()
        encoded, rows = pool.count, pool.rows(view.ids)
        at = np.flatnonzero(rows >= 0)
        unique, inverse = np.unique(rows[at], return_inverse=True)  # the same bytes share a row
        group = duplicate_labels(
            lambda some: pool.points(unique[some]),
            len(unique),
            np.random.default_rng(0),
            pause=lambda: time.sleep(YIELD_SECONDS),
        )[inverse]
        sizes = np.bincount(group)
        several = sizes[group] > 1
        order = np.argsort(group[several], kind="stable")
        members, groups = view.ids[at[several]][order], group[several][order]
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        log.info("duplicates.found", groups=len(starts), seconds=time.monotonic() - started)
        return _Found(members, starts, pool, encoded, len(unique) <= MOST_EXACT)

    def _kinds(self, view: CatalogView, found: _Found) -> Ints:
        """Of each group the index of its kind, int64 (n_groups,)."""
        if not len(found.starts):
            return np.empty(0, dtype=np.int64)
        labels = view.labels[view.positions(found.members)]
        kept = np.isin(found.members, np.fromiter(self._labels.given_twice(), dtype=np.int64))
        largest = np.maximum.reduceat(labels, found.starts)
        least = np.minimum.reduceat(np.where(labels < 0, np.iinfo(np.int64).max, labels), found.starts)
        differ: Bools = (largest >= 0) & (largest != least)
        kept_all = np.logical_and.reduceat(kept | (labels < 0), found.starts)
        some_open = np.logical_or.reduceat(labels < 0, found.starts)
        return np.select(
            [differ & ~kept_all, (largest >= 0) & some_open & ~differ, largest < 0], [0, 1, 2], default=3
        ).astype(np.int64)

    def _group(self, view: CatalogView, found: _Found, number: int, kind: str) -> DuplicateGroup:
        end = found.starts[number + 1] if number + 1 < len(found.starts) else len(found.members)
        members = found.members[found.starts[number] : end]
        at = view.positions(members)
        if len(at) > MOST_SHOWN:  # those that the group is about come first
            at = at[np.argsort((view.labels[at] >= 0) != (kind == "conflict"), kind="stable")]
        counts = np.bincount(view.labels[at][view.labels[at] >= 0], minlength=len(self._catalog.classes))
        items = tuple(
            LabelledItem(ItemId(view.ids[one]), view.keys[one], self._label(view, int(one)))
            for one in at[:MOST_SHOWN]
        )
        labels = {name: int(n) for name, n in zip(self._catalog.classes, counts, strict=True) if n}
        return DuplicateGroup(items, len(members), labels, kind)

    def _label(self, view: CatalogView, at: int) -> str:
        return self._catalog.classes[view.labels[at]] if view.labels[at] >= 0 else ""
