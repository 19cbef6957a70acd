"""The honest accuracy: on held-out items only, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from lightbulb.records import Accuracy, Float32s, Ints

FEWEST = 5  # held-out labels below which a percentage would only mislead


def accuracy_of(probs: Float32s, targets: Ints) -> Accuracy | None:
    """Share of rows whose most probable class is the target, with the 95% Wilson interval.

    probs: (n, n_classes). targets: class indices (n,). None when n < FEWEST.
    """
    n = len(targets)
    if n < FEWEST:
        return None
    right = int((probs.argmax(axis=1) == targets).sum())
    interval = binomtest(right, n).proportion_ci(confidence_level=0.95, method="wilson")
    return Accuracy(right / n, float(interval.low), float(interval.high), n)


def stratified_folds(targets: Ints, n_folds: int, rng: np.random.Generator) -> Ints:
    """Fold of each example, int64 (n,); each class is dealt out evenly, the rarest first."""
    folds = np.empty(len(targets), dtype=np.int64)
    shuffled = rng.permutation(len(targets))
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    folds[by_class] = np.arange(len(targets)) % n_folds
    return folds


@dataclass(frozen=True)
class ClassMetrics:
    """precision: of what is called so, what share is; None if nothing is. recall: of what is so, what
    share is called so; None if nothing is. n: items that are."""

    precision: float | None
    recall: float | None
    n: int


def confusion_of(probs: Float32s, targets: Ints) -> Ints:
    """int64 (n_classes, n_classes): how many items of the row's class were called the column's."""
    n_classes = probs.shape[1]
    cells = np.bincount(targets * n_classes + probs.argmax(axis=1), minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes).astype(np.int64)


def per_class(confusion: Ints) -> list[ClassMetrics]:
    """One for each class. confusion: as `confusion_of` gives it."""
    right, called, are = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    return [
        ClassMetrics(
            float(right[one] / called[one]) if called[one] else None,
            float(right[one] / are[one]) if are[one] else None,
            int(are[one]),
        )
        for one in range(len(confusion))
    ]
