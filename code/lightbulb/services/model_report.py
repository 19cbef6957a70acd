"""What there is to know of the models: the one that serves in detail, and the versions there were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from lightbulb.errors import Conflict, NotReady
from lightbulb.records import Accuracy, Ints, Item, Snapshot
from lightbulb.services.assemble import Workspace
from lightbulb.training.evaluate import ClassMetrics, per_class
from lightbulb.training.reliability import Reliability, reliability_of


@dataclass(frozen=True)
class ClassReport:
    """metrics: on held-out items. threshold: the probability from which on an item is proposed as it, above
    1 if none is. labels: in force now.
    """

    name: str
    metrics: ClassMetrics
    threshold: float
    labels: int


@dataclass(frozen=True)
class ModelDetails:
    """confusion: rows what they are. reliability: None for a model of an earlier release."""

    snapshot: Snapshot
    classes: tuple[ClassReport, ...]
    confusion: Ints
    reliability: Reliability | None


@dataclass(frozen=True)
class Version:
    """One that is kept. seconds: that fitting took. bytes: on disk."""

    version: int
    created_at: datetime
    labels: int
    accuracy: Accuracy | None
    seconds: float | None
    bytes: int


@dataclass(frozen=True)
class MeasuredItem:
    """A held-out item as the model saw it. confidence: in the class it predicted."""

    item: Item
    actual: str
    predicted: str
    confidence: float


def model_details(workspace: Workspace) -> ModelDetails | None:
    snapshot = workspace.learner.snapshot
    if snapshot is None:
        return None
    n_classes, view = len(snapshot.classes), workspace.catalog.view
    confusion = snapshot.confusion
    if confusion is None:
        confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    labels = np.bincount(view.labels[view.labelled], minlength=n_classes)
    rows = zip(snapshot.classes, per_class(confusion), snapshot.thresholds, labels, strict=True)
    classes = tuple(ClassReport(name, one, float(at), int(count)) for name, one, at, count in rows)
    measured = snapshot.measured
    reliability = None
    if measured is not None:
        reliability = reliability_of(measured.confidence, measured.predicted == measured.actual)
    return ModelDetails(snapshot, classes, confusion, reliability)


def items_of_cell(workspace: Workspace, actual: str, predicted: str) -> tuple[int, list[MeasuredItem]]:
    """(the model's version, the held-out items that a cell of its confusion matrix counted, surest first).

    Raises: LabelError for a class that the task does not have; NotReady before the first model; Conflict if
    the model is of an earlier release, which did not keep them.
    """
    check = workspace.task.check_value
    row, column = (workspace.task.classes.index(check(name)) for name in (actual, predicted))
    snapshot = workspace.learner.snapshot
    if snapshot is None:
        raise NotReady("no model yet")
    measured = snapshot.measured
    if measured is None:
        raise Conflict(
            f"model {snapshot.version} was made by an earlier release, which did not keep its held-out items",
            code="not_known",
        )
    at = np.flatnonzero((measured.actual == row) & (measured.predicted == column))
    at = at[np.argsort(-measured.confidence[at], kind="stable")]
    items = workspace.items.get(measured.items[at].tolist())
    return snapshot.version, [
        MeasuredItem(items[item], actual, predicted, min(1.0, float(confidence)))
        for item, confidence in zip(measured.items[at].tolist(), measured.confidence[at], strict=True)
    ]


def versions(workspace: Workspace) -> list[Version]:
    """Those that are kept and can serve again, the newest first."""
    kept = set(workspace.models.versions())
    rows = [row for row in workspace.history.rows() if row["version"] in kept]
    return [
        Version(
            version=row["version"],
            created_at=row["created_at"],
            labels=row["labels"],
            accuracy=Accuracy(row["accuracy"], row["low"], row["high"], row["n"])
            if row["accuracy"] is not None
            else None,
            seconds=row["metrics"].get("fit_seconds"),
            bytes=workspace.models.bytes_of(row["version"]),
        )
        for row in reversed(rows)
    ]
