"""Acceptances whose certificate no longer holds: found, said, and mended by looking or by taking labels back.

How the evidence is weighed once labels of it were taken back or changed is in `autolabel/uphold.py`. No label
is ever taken off by itself: that is for a person to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lightbulb.autolabel.certify import Verdict, allowed_wrong, plan_looks
from lightbulb.autolabel.uphold import Footing, footing
from lightbulb.errors import Conflict
from lightbulb.records import Batch, Bools, Ints, ItemId, Snapshot
from lightbulb.services.auditing import Auditing
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.labeling import Changes
from lightbulb.store.audits import AuditStore, StoredAudit
from lightbulb.store.batches import BatchStore


@dataclass(frozen=True)
class Lapsed:
    """An acceptance that its evidence, as it is now, no longer bears.

    audit: its number. labels: that stand on it, accepted without a look and not looked at since.
    audited: the sample that was looked at. wrong: of it, wrong ones. withdrawn: of it, those that nobody
    judges any more. found: wrong ones that people came upon among what was accepted. removed: of that, what
    has no label now. allowed: how many of the others may be wrong. most: upper bound on them by the evidence,
    None if more were found. to_check: how many to look at next.
    """

    audit: int
    label: str
    labels: int
    audited: int
    wrong: int
    withdrawn: int
    found: int
    removed: int
    allowed: int
    most: int | None
    to_check: int


@dataclass(frozen=True)
class _Acceptance:
    """standing: bool, aligned to the audit's items: accepted by it, and nobody looked at them since. removed:
    how many that it accepted have no label now.
    """

    stored: StoredAudit
    standing: Bools
    removed: int
    verdicts: Ints
    footing: Footing

    @property
    def holds(self) -> bool:
        return not self.standing.any() or self.footing.holds(self.stored.confidence)


class Upholding:
    """remove: takes labels off as one step to undo: (action, the items that had one)."""

    def __init__(
        self,
        audits: AuditStore,
        batches: BatchStore,
        auditing: Auditing,
        catalog: Catalog,
        changes: Changes,
        snapshot: Callable[[], Snapshot | None],
        remove: Callable[[Sequence[ItemId]], tuple[int, list[ItemId]]],
        *,
        batch_size: int,
    ) -> None:
        self._audits = audits
        self._batches = batches
        self._auditing = auditing
        self._catalog = catalog
        self._changes = changes
        self._snapshot = snapshot
        self._remove = remove
        self._batch_size = batch_size
        self._known: tuple[CatalogView, tuple[Lapsed, ...]] | None = None

    def lapsed(self) -> tuple[Lapsed, ...]:
        """Every acceptance that labels stand on and that does not hold any more, ordered by class."""
        known = self._known
        if known is None or known[0] is not self._catalog.view:
            with self._changes.lock:  # no new audit may spend the look that is found to be reached here
                view = self._catalog.view
                found = [self._report(one) for one in self._acceptances(view) if not one.holds]
            found.sort(key=lambda one: self._catalog.classes.index(one.label))
            self._known = known = (view, tuple(found))
        return known[1]

    def check_more(self, audit: int, client: str) -> Batch:
        """A batch of what is to be looked at next: whose judgement was taken back, then what was accepted, in
        the audit's random order. Answering it is as answering any.

        Raises: NotFound for an unknown audit; Conflict (`nothing_stands`) if no label stands on it, or
        (`nothing_to_check`) if nobody can look at any of it.
        """
        with self._changes.lock:
            acceptance = self._find(audit)
            batch = self._batch(acceptance, self._to_check(acceptance, self._catalog.view))
            return self._batches.get(self._batches.add(batch, threshold=0.0, client=client))

    def take_back(self, audit: int) -> tuple[int, int]:
        """Takes the labels off that stand on the acceptance: (action, how many), one step to undo.

        Raises: NotFound; Conflict (`nothing_stands`), as `check_more`.
        """
        with self._changes.lock:
            acceptance = self._find(audit)
            action, removed = self._remove(acceptance.stored.items[acceptance.standing].tolist())
        return action, len(removed)

    def _acceptances(self, view: CatalogView) -> list[_Acceptance]:
        """Of classes that there still are. Of two that an item was in, the later one bears its label."""
        found = []
        claimed = np.empty(0, dtype=np.int64)
        for stored in self._audits.all_accepted():
            if stored.label not in self._catalog.classes:
                continue
            acceptance = self._weigh(stored, view, claimed)
            claimed = np.concatenate([claimed, stored.items[acceptance.standing]])
            found.append(acceptance)
        return found

    def _weigh(self, stored: StoredAudit, view: CatalogView, claimed: Ints) -> _Acceptance:
        """Notes a further look that was reached since, as `Auditing.standing` does."""
        assert stored.accepted_by is not None
        verdicts = self._auditing.verdicts(stored)
        at = view.positions(stored.items)
        own = np.isin(stored.items, self._audits.accepted_items(stored.accepted_by)) & (at >= 0)
        of_class = view.labels[at] == self._catalog.classes.index(stored.label)
        standing: Bools = own & of_class & view.certified[at] & ~np.isin(stored.items, claimed)
        looks = plan_looks(len(stored.items), stored.confidence, spent=stored.spent)
        if stored.ended:  # the looks to come are those of a later audit
            looks = looks[: stored.looks]
        accepted = own & (view.labelled[at] | (verdicts == Verdict.WRONG))
        weighed = footing(verdicts, accepted, looks, min(stored.looks, len(looks)), stored.confidence)
        if weighed.evidence.looks > stored.looks:
            self._audits.reached(stored.id, weighed.evidence.looks)
        return _Acceptance(stored, standing, int((own & ~accepted).sum()), verdicts, weighed)

    def _find(self, audit: int) -> _Acceptance:
        self._audits.get(audit)
        for one in self._acceptances(self._catalog.view):
            if one.stored.id == audit and one.standing.any():
                return one
        raise Conflict(f"no label stands on the certificate of audit {audit}", code="nothing_stands")

    def _to_check(self, acceptance: _Acceptance, view: CatalogView) -> Ints:
        """What is open of the sample; else what follows it, up to the next look that may mend it."""
        items, evidence = acceptance.stored.items, acceptance.footing.evidence
        at = view.positions(items)
        readable = (at >= 0) & ~view.broken[at]
        unknown = readable & (acceptance.verdicts == Verdict.UNKNOWN)
        withdrawn = unknown | (readable & (acceptance.verdicts == Verdict.LOST))
        withdrawn[evidence.audited :] = False
        if withdrawn.any():
            return items[withdrawn][: self._batch_size]
        if evidence.needed is None:
            return items[unknown & acceptance.standing][: self._batch_size]
        unknown[evidence.audited + evidence.needed :] = False
        return items[unknown][: self._batch_size]

    def _batch(self, acceptance: _Acceptance, items: Ints) -> Batch:
        """scores: by the present model, 0 where it has none."""
        stored, view, snapshot = acceptance.stored, self._catalog.view, self._snapshot()
        if not len(items):
            raise Conflict("the files of all that is left are gone", code="nothing_to_check")
        scores = np.zeros(len(items))
        if snapshot is not None:
            rows = snapshot.rows_of(items)
            column = self._catalog.classes.index(stored.label)
            scores[rows >= 0] = snapshot.probs[rows[rows >= 0], column]
        return Batch(
            id=0,
            label=stored.label,
            model_version=stored.model_version if snapshot is None else snapshot.version,
            candidates=int(acceptance.standing.sum()),
            items=tuple(items.tolist()),
            keys=tuple(view.keys[at] for at in view.positions(items)),
            scores=tuple(np.minimum(scores, 1.0).tolist()),
            audit=stored.id,
        )

    def _report(self, acceptance: _Acceptance) -> Lapsed:
        stored, weighed = acceptance.stored, acceptance.footing
        return Lapsed(
            audit=stored.id,
            label=stored.label,
            labels=int(acceptance.standing.sum()),
            audited=weighed.evidence.audited,
            wrong=weighed.wrong,
            withdrawn=weighed.withdrawn,
            found=weighed.found,
            removed=acceptance.removed,
            allowed=allowed_wrong(weighed.labels, stored.confidence),
            most=None if weighed.refuted else weighed.most,
            to_check=len(self._to_check(acceptance, self._catalog.view)),
        )
