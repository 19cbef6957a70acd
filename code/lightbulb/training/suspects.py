"""Labels that look wrong: confident learning on out-of-fold predictions.

Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels" (arXiv
1911.00068): an item counts as of another class when its probability of that class is at least what it is
on average among the items labelled so. Written here because the method is a few lines of numpy and the
library that has it brings a great deal besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightbulb.records import Float32s, Float64s, Ints


@dataclass(frozen=True)
class Suspects:
    """rows: int64 (k,), the most suspicious first. suggested: class indices (k,).

    scores: probability of the suggested class less that of the given one, float64 (k,).
    """

    rows: Ints
    suggested: Ints
    scores: Float64s


def find_suspects(probs: Float32s, labels: Ints) -> Suspects:
    """probs: (n, n_classes), by classifiers that did not train on the row. labels: class indices (n,)."""
    n, n_classes = probs.shape
    given = probs[np.arange(n), labels]
    usual = np.full(n_classes, np.inf)
    for label in np.unique(labels):
        usual[label] = given[labels == label].mean()
    confident = np.where(probs >= usual, probs, -1.0)
    suggested = confident.argmax(axis=1)
    odd = (confident.max(axis=1) >= 0) & (suggested != labels)
    scores = (probs[np.arange(n), suggested] - given).astype(np.float64)
    rows = np.flatnonzero(odd & (scores > 0))
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    return Suspects(rows, suggested[rows].astype(np.int64), scores[rows])
