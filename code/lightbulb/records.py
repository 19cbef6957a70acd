"""Values that pass between the layers: frozen, checked at birth, free of torch and of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ItemId = int

Float16s = NDArray[np.float16]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]  # (height, width, 3), RGB
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


def positions_in(ids: Ints, wanted: Ints) -> Ints:
    """Position of each wanted id in `ids`, which ascend, -1 where it is not there. int64 (n,)."""
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    first, last = int(ids[0]), int(ids[-1])
    if last - first == len(ids) - 1:  # no gaps, as a rule: items are never deleted. A search takes far longer
        return np.where((wanted >= first) & (wanted <= last), wanted - first, -1).astype(np.int64, copy=False)
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[at] == wanted, at, -1).astype(np.int64)


class Source(StrEnum):
    """How a label came to be. Told apart for ever, in the database and in every export."""

    HUMAN = "human"  # a person answered a question about this very item
    CONFIRMED = "confirmed"  # a person confirmed the model's proposal in a batch
    CERTIFIED = "certified"  # accepted without a look, under a certificate
    IMPORTED = "imported"  # from a file whose `source` column is missing or empty: who knows from where


LOOKED_AT = (Source.HUMAN, Source.CONFIRMED)  # a person saw the item and said so


class ActionKind(StrEnum):
    """One step that a person can undo (all but `undo` itself)."""

    LABEL = "label"
    SKIP = "skip"
    BULK = "bulk"  # many items that a person chose, labelled or skipped together
    CLEAR = "clear"  # labels taken off, whoever gave them
    BATCH = "batch"
    ACCEPT = "accept"
    IMPORT = "import"
    UNDO = "undo"


@dataclass(frozen=True)
class Item:
    """One thing to be labelled.

    id: stable for ever, also when the file vanishes and comes back.
    key: path below the dataset directory, with `/`; for other kinds of pool, the row's own key.
    size, mtime_ns: of the file when it was last looked at.
    content: hash of the bytes once they have been read, else None.
    broken: why it cannot be used, else None.
    draw: uniform in [0, 1), fixed at birth; orders the held-out items.
    held_out: never trains a model and is never chosen by a query strategy.
    """

    id: ItemId
    key: str
    size: int
    mtime_ns: int
    content: str | None
    broken: str | None
    draw: float
    held_out: bool


@dataclass(frozen=True)
class Answer:
    """What a person said about one item; `label` None means skipped.

    seconds: from the item's appearing to the answer; None if unknown.
    client_id: makes sending it twice harmless.
    """

    item: ItemId
    label: str | None
    seconds: float | None = None
    client_id: str | None = None


@dataclass(frozen=True)
class Label:
    """The label in force for an item."""

    item: ItemId
    value: str
    annotator: str
    source: Source
    seconds: float | None
    created_at: datetime
    action: int


@dataclass(frozen=True)
class Flag:
    """A person's mark on an item, to be looked at again. note: why, may be empty."""

    item: ItemId
    note: str
    annotator: str
    created_at: datetime


@dataclass(frozen=True)
class Prediction:
    """The most probable class of an item by the current model. score: calibrated probability."""

    item: ItemId
    label: str
    score: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score of item {self.item} is {self.score}, not in [0, 1]")


@dataclass(frozen=True)
class Question:
    """An item a person is asked about. `guess`: what the model says of it, if there is a model.

    scores: the model's probability of each class in config order, None without a guess.
    """

    item: ItemId
    key: str
    guess: Prediction | None
    scores: tuple[float, ...] | None = None


@dataclass(frozen=True)
class GivenAnswer:
    """A person's answer to a question, as it was given by an action. value None: skipped, and still open."""

    item: ItemId
    key: str
    value: str | None
    action: int
    created_at: datetime


@dataclass(frozen=True)
class Batch:
    """Proposals of one class, shown together for confirmation.

    candidates: how many proposals of this class there were when the batch was drawn from them.
    items, keys, scores: aligned; scores are calibrated probabilities of `label`.
    audit: the audit that the batch is a part of, if it can lead to a certificate.
    """

    id: int
    label: str
    model_version: int
    candidates: int
    items: tuple[ItemId, ...]
    keys: tuple[str, ...]
    scores: tuple[float, ...]
    audit: int | None = None


@dataclass(frozen=True)
class Accuracy:
    """Share of held-out items the model gets right, with its 95% interval (Wilson 1927).

    value, low, high: fractions. n: held-out items it was measured on.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Suspect:
    """A label that looks wrong. suggested: the class that a model which did not learn from it sees.

    score: how much more probable that is than the label, 0 to 1.
    """

    item: ItemId
    label: str
    suggested: str
    score: float


@dataclass(frozen=True)
class Measured:
    """Held-out items as a model saw them when it was measured, aligned, (n,).

    items: int64. actual: class indices of their labels, int64. predicted: the most probable ones, int64.
    confidence: calibrated probabilities of these, float32.
    """

    items: Ints
    actual: Ints
    predicted: Ints
    confidence: Float32s

    @classmethod
    def of(cls, items: Ints, targets: Ints, probs: Float32s) -> Measured:
        """probs: float32 (n, n_classes)."""
        return cls(items, targets, probs.argmax(axis=1).astype(np.int64), probs.max(axis=1, initial=0))


class Classifier(Protocol):
    """What a snapshot can do with embeddings."""

    def probabilities(self, embeddings: Float32s) -> Float32s:
        """float32 (n, dim) → calibrated probabilities, float32 (n, n_classes), rows sum to 1."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """What the learner publishes: one model and all that follows from it, never half of it.

    version: number of the model folder; grows by one with each model.
    trained_on: labels the model was fitted to. labels: all that it knows of, held-out ones included
    (a labelled item that is not encoded yet is not among them).
    labels_revision: the catalog's revision that the labels were read at.
    item_ids, probs: the pool as scored, int64 (n,) ascending and float32 (n, n_classes), aligned.
    thresholds: per class, the calibrated probability from which on an item is proposed.
    recalled: the newest recall (a model's version) that it knows of; after a newer one it proposes nothing.
    confusion: held-out items by what they are (rows) and are taken for, int64 (n_classes, n_classes).
    measured: these items one by one; None where an earlier release did not keep them.
    suspects: labels that it learnt from and that look wrong, the worst first.
    votes: the pool as an ensemble scores it, float32 (n_members, n, n_classes), if the query strategy asks.
    published_at: seconds since the epoch.
    """

    version: int
    classifier: Classifier
    classes: tuple[str, ...]
    trained_on: int
    labels: int
    labels_revision: int
    encoder_fingerprint: str
    item_ids: Ints
    probs: Float32s
    thresholds: Float32s
    accuracy: Accuracy | None
    temperature: float
    published_at: float
    metrics: Mapping[str, Any] = field(default_factory=dict)
    confusion: Ints | None = None
    measured: Measured | None = None
    suspects: tuple[Suspect, ...] = ()
    votes: Float32s | None = None
    recalled: int = 0

    def rows_of(self, items: Ints) -> Ints:
        """Row of each item in `probs`, -1 where it was not scored. int64 (n,)."""
        return positions_in(self.item_ids, items)

    @cached_property
    def scores(self) -> Float32s:
        """Of each row the probability of its most probable class, float32 (n,)."""
        return self.probs.max(axis=1, initial=0)

    def class_probs(self, item: ItemId) -> tuple[float, ...] | None:
        """Probability of each class, None for an item that was not scored."""
        row = int(self.rows_of(np.array([item], dtype=np.int64))[0])
        return None if row < 0 else tuple(self.probs[row].tolist())

    def prediction(self, item: ItemId) -> Prediction | None:
        row = int(self.rows_of(np.array([item], dtype=np.int64))[0])
        if row < 0:
            return None
        best = int(self.probs[row].argmax())
        return Prediction(item, self.classes[best], min(1.0, float(self.probs[row, best])))
