"""Audits: from batches that people confirm to sets that may be accepted without a look.

The statistics, and why they hold, are in `autolabel/certify.py`; here they meet the database. What is
known of an audit follows from the labels in force, so an undo takes evidence back as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from lightbulb.autolabel.certify import Evidence, Verdict, plan_looks, too_many_wrong, weigh
from lightbulb.autolabel.propose import Proposals
from lightbulb.errors import Conflict
from lightbulb.records import Batch, Bools, Ints, ItemId, Snapshot
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.store.audits import AuditStore, StoredAudit
from lightbulb.store.batches import BatchStore
from lightbulb.store.database import now

HELD_FOR = timedelta(minutes=10)  # how long another client's unanswered batch keeps its items


@dataclass(frozen=True)
class Audit:
    """What looking has shown of a class's proposals.

    audited: items that people looked at. wrong: those that were not of the class. candidates: in the
    set they were drawn from. bound: upper bound on the share of wrong ones among the rest, None before
    there is one. certified: the rest may be accepted. rest: items that are left of the set.
    needed: how many more to look at until the rest may be accepted, if they are all right; None if
    this set cannot get there.
    """

    audited: int
    wrong: int
    candidates: int
    bound: float | None = None
    certified: bool = False
    rest: int = 0
    needed: int | None = None


@dataclass(frozen=True)
class Certificate:
    """An audit whose rest may be accepted now. batch: the newest that was drawn from it."""

    batch: int
    label: str
    audit: Audit


@dataclass(frozen=True)
class Standing:
    """An audit as it is now. unknown: bool, aligned to its items, that nobody has judged.

    confidence: that acceptance has to keep to, the audit's or the present one, whichever asks for more.
    rest: items that acceptance would label: not judged, and the present model still says the class.
    """

    stored: StoredAudit
    confidence: float
    evidence: Evidence
    unknown: Bools
    rest: Ints

    @property
    def certified(self) -> bool:
        return self.stored.open and self.evidence.certifies(len(self.rest), self.confidence)

    def report(self) -> Audit:
        evidence = self.evidence
        return Audit(
            audited=evidence.audited,
            wrong=evidence.wrong,
            candidates=len(self.stored.items),
            bound=evidence.bound(len(self.rest)),
            certified=self.certified,
            rest=len(self.rest),
            needed=evidence.needed if self.stored.open and not self.certified else None,
        )


class Auditing:
    def __init__(
        self,
        audits: AuditStore,
        batches: BatchStore,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        *,
        confidence: float,
        rng: np.random.Generator,
    ) -> None:
        self._audits = audits
        self._batches = batches
        self._catalog = catalog
        self._snapshot = snapshot
        self._confidence = confidence
        self._rng = rng

    def running(self, label: str, proposals: Proposals, snapshot: Snapshot) -> Standing | None:
        """The audit that the next batch of the class belongs to; a new one if there is none that can
        still succeed. None if there are too few proposals to spare anyone a look.

        proposals: of this class alone.
        """
        stored = self._audits.running(label)
        if stored is not None:
            standing = self.standing(stored)
            if self._worth_going_on(standing, snapshot):
                return standing
            self._audits.end(stored.id)
        spent = self._audits.spent(label)
        if not plan_looks(len(proposals.item_ids), self._confidence, spent=spent):
            return None
        order = self._rng.permutation(proposals.item_ids)
        return self.standing(self._audits.add(label, snapshot.version, self._confidence, order))

    def standing(self, stored: StoredAudit) -> Standing:
        """What is known of it now. A look that is found to be reached is spent, whatever labels led to it:
        they may be taken off again, but what it has shown is known by then.
        """
        verdicts = self.verdicts(stored)
        looks = plan_looks(len(stored.items), stored.confidence, spent=stored.spent)
        unknown: Bools = verdicts == Verdict.UNKNOWN
        rest = stored.items[unknown]
        rest = rest[self._still_proposed(rest, stored)]
        confidence = max(stored.confidence, self._confidence)
        evidence = weigh(verdicts, looks)
        if stored.open and evidence.looks > stored.looks:
            self._audits.reached(stored.id, evidence.looks)
        return Standing(stored, confidence, evidence, unknown, rest)

    def verdicts(self, stored: StoredAudit) -> Ints:
        """What is known of each of its items, int64 (n,), values of Verdict.

        What its own acceptance labelled is unknown, as before: that is no word against the set.
        """
        view = self._catalog.view
        verdicts = _verdicts(stored, view, self._label_index(stored.label))
        if stored.accepted_by is not None:
            at = view.positions(stored.items)
            unseen = (at >= 0) & view.certified[at] & ~view.broken[at]
            own = np.isin(stored.items, self._audits.accepted_items(stored.accepted_by))
            verdicts[own & unseen & (view.labels[at] == self._label_index(stored.label))] = Verdict.UNKNOWN
        return verdicts

    def next_items(self, standing: Standing, size: int, client: str) -> Ints:
        """The next items of the order that nobody judged or has before them, up to the next look."""
        unknown = standing.stored.items[standing.unknown]
        free = ~np.isin(unknown, list(self._held_by_others(standing, client)))
        if standing.evidence.needed is not None and not standing.certified:
            before_look = free.copy()
            before_look[standing.evidence.needed :] = False
            if before_look.any():  # else others are at it already: what comes after the look, in a full batch
                free = before_look
        return unknown[free][:size]

    def of_batch(self, batch: Batch) -> Audit:
        """How the audit that the batch is a part of stands; for one without, that nobody has looked yet."""
        if batch.audit is None:
            return Audit(0, 0, batch.candidates, rest=batch.candidates)
        return self.standing(self._audits.get(batch.audit)).report()

    def ahead(self, batch: Batch, size: int, client: str) -> list[ItemId]:
        """What follows the batch in its audit's order, up to `size` items: likely the next batch.

        Fetching their pictures early tells nobody anything, and the order was laid down before.
        """
        if batch.audit is None:
            return []
        standing = self.standing(self._audits.get(batch.audit))
        taken = self._held_by_others(standing, client) | set(batch.items)
        unknown = standing.stored.items[standing.unknown]
        free = unknown[~np.isin(unknown, list(taken))]
        return [int(item) for item in free[:size]]

    def certificates(self) -> list[Certificate]:
        """What may be accepted now, of whatever class: also where the present model proposes nothing of a
        class any more, so that no batch would lead there."""
        found = []
        for stored in self._audits.all_running():
            if stored.label not in self._catalog.classes:
                continue
            standing = self.standing(stored)
            batch = self._batches.last_of_audit(stored.id) if standing.certified else None
            if batch is not None:
                found.append(Certificate(batch, stored.label, standing.report()))
        return sorted(found, key=lambda one: self._label_index(one.label))

    def after(self, batch: Batch, judged: int, wrong: int) -> Audit:
        """What an answered batch has shown. Where it shows too many wrong ones, every proposal of the
        present model is called back."""
        report = Audit(judged, wrong, batch.candidates, rest=max(0, batch.candidates - judged))
        if batch.audit is not None:
            report = self.standing(self._audits.get(batch.audit)).report()
        failed = any(  # the batch by itself: another client's may leave a gap before it
            too_many_wrong(found, sampled=sampled, confidence=self._confidence)
            for found, sampled in ((wrong, judged), (report.wrong, report.audited))
        )
        snapshot = self._snapshot()
        if failed and not report.certified:
            self._batches.recall(batch.id, snapshot.version if snapshot else batch.model_version)
            report = replace(report, needed=None)
        return report

    def accept(self, batch: Batch, annotator: str) -> tuple[int, list[ItemId]]:
        """Labels the rest of the batch's audit without a look; returns (action, items).

        Raises: Conflict if it is not certified, was accepted or called back.
        """
        if batch.audit is None:
            raise Conflict(
                f"batch {batch.id} is no part of an audit: {batch.candidates} proposals are too few "
                "for a certificate",
                code="not_certified",
            )
        stored = self._audits.get(batch.audit)
        if stored.accepted:
            raise Conflict("the rest was accepted already", code="accepted_already")
        if stored.ended or stored.failed:
            raise Conflict("these proposals were called back", code="called_back")
        standing = self.standing(stored)
        if not standing.certified:
            audit = standing.report()
            raise Conflict(
                f"{audit.audited} looked at, {audit.wrong} wrong: that does not certify the other "
                f"{audit.rest} yet",
                code="not_certified",
                details=[{"bound": audit.bound, "needed": audit.needed}],
            )
        rest = [int(item) for item in standing.rest]
        return self._audits.accept(stored, standing.evidence.looks, rest, annotator), rest

    def _held_by_others(self, standing: Standing, client: str) -> set[ItemId]:
        return self._batches.held_by_others(standing.stored.id, client, now() - HELD_FOR)

    def _worth_going_on(self, standing: Standing, snapshot: Snapshot) -> bool:
        """A certificate is there or within reach. What nobody has begun makes way for the next model's."""
        evidence = standing.evidence
        if standing.certified:
            return True
        if standing.stored.confidence != self._confidence:  # its looks were planned for another promise
            return False
        if evidence.audited == 0 and standing.stored.model_version != snapshot.version:
            return False
        return evidence.within_reach(len(standing.rest), int(standing.unknown.sum()), standing.confidence)

    def _still_proposed(self, rest: Ints, stored: StoredAudit) -> Bools:
        snapshot = self._snapshot()
        if snapshot is None:
            return np.zeros(len(rest), dtype=np.bool_)
        rows = snapshot.rows_of(rest)
        same = snapshot.probs[rows].argmax(axis=1) == self._label_index(stored.label)
        return (rows >= 0) & same

    def _label_index(self, label: str) -> int:
        return self._catalog.classes.index(label)


def _verdicts(stored: StoredAudit, view: CatalogView, label: int) -> Ints:
    """What the labels in force say of each item of the audit, int64 (n,), values of Verdict."""
    at = view.positions(stored.items)
    labels = view.labels[at]
    labelled: Bools = labels >= 0
    seen = view.looked_at[at]  # what nobody looked at is no evidence for anything
    refused = np.isin(stored.items, view.barred_items[view.barred_labels == label])
    verdicts = np.full(len(at), Verdict.UNKNOWN, dtype=np.int64)
    verdicts[(at < 0) | (view.broken[at] & ~labelled) | (labelled & ~seen)] = Verdict.LOST
    verdicts[~labelled & refused] = Verdict.WRONG
    verdicts[labelled & seen & (labels != label)] = Verdict.WRONG
    verdicts[labelled & seen & (labels == label)] = Verdict.RIGHT
    return verdicts
