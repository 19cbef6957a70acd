"""A workspace with a model whose mistakes a test decides, for what follows from a certificate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightbulb.records import Batch, Float32s, Snapshot, Source
from lightbulb.services.assemble import Workspace
from lightbulb.services.auditing import Auditing
from lightbulb.services.catalog import CatalogView
from lightbulb.services.confirming import Confirming
from lightbulb.services.upholding import Upholding
from lightbulb.store.audits import AuditStore

N = 420
CLASSES = ("Low", "High")


class NoClassifier:
    def probabilities(self, embeddings: Float32s) -> Float32s:
        raise AssertionError("nothing is scored here")


@dataclass
class Bench:
    """A workspace with a model that says `Low` of everything. wrong: keys of items that are `High`."""

    workspace: Workspace
    snapshot: Snapshot
    confirming: Confirming
    auditing: Auditing
    upholding: Upholding
    audits: AuditStore
    wrong: set[str]

    def publish(self, *, disagrees: list[int] | None = None) -> None:
        """A new model, which says High of some items."""
        probs = self.snapshot.probs.copy()
        for item in disagrees or []:
            probs[self.snapshot.rows_of(np.array([item]))[0]] = (0.1, 0.9)
        recalled = self.workspace.catalog.view.recalled
        self.snapshot = replace(
            self.snapshot, version=self.snapshot.version + 1, probs=probs, recalled=recalled
        )

    def next_batch(self, client: str = "") -> Batch:
        batch = self.confirming.next_batch(client=client, label="Low")
        assert batch is not None
        return batch

    def review(self, batch: Batch | None = None):  # type: ignore[no-untyped-def]
        """Confirms a batch, rejecting what is wrong."""
        batch = batch or self.next_batch()
        keys = dict(zip(batch.items, batch.keys, strict=True))
        return self.confirming.answer(
            batch.id, {item: "High" for item, key in keys.items() if key in self.wrong}
        )

    def labels(self, source: Source) -> int:
        return sum(one.source == source for one in self.workspace.labels.current())


def snapshot_of(view: CatalogView) -> Snapshot:
    """A model that says `Low` of everything."""
    return Snapshot(
        version=1, classifier=NoClassifier(), classes=CLASSES, trained_on=20, labels=20, labels_revision=0,
        encoder_fingerprint="", item_ids=view.ids,
        probs=np.tile(np.array([[0.99, 0.01]], dtype=np.float32), (len(view.ids), 1)),
        thresholds=np.full(2, 0.97, dtype=np.float32), accuracy=None, temperature=1.0, published_at=0.0,
    )  # fmt: skip


def bench_on(workspace: Workspace, *, confidence: float = 0.97) -> Bench:
    snapshot = snapshot_of(workspace.catalog.view)
    audits = AuditStore(workspace.database)
    bench = Bench(workspace, snapshot, None, None, None, audits, set())  # type: ignore[arg-type]
    bench.auditing = Auditing(
        audits, workspace.batches, workspace.catalog, lambda: bench.snapshot,
        confidence=confidence, rng=np.random.default_rng(5),
    )  # fmt: skip
    bench.confirming = Confirming(
        workspace.task, workspace.catalog, lambda: bench.snapshot, workspace.batches, bench.auditing,
        workspace.changes, list,
        annotator="annotator", batch_size=100, rng=np.random.default_rng(6),
    )  # fmt: skip
    bench.upholding = Upholding(
        audits, workspace.batches, bench.auditing, workspace.catalog, workspace.changes,
        lambda: bench.snapshot, workspace.labeling.remove, batch_size=100,
    )  # fmt: skip
    return bench


def certify(bench: Bench):  # type: ignore[no-untyped-def]
    """Reviews until the rest may be accepted; returns the last answer."""
    for _ in range(4):
        done = bench.review()
        if done.audit.certified:
            return done
    raise AssertionError(f"not certified: {done.audit}")
