"""Which unlabelled items the model is sure enough of to propose a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightbulb.records import Bools, Float32s, Ints

SPENT = 0.85  # of the wrong ones a class's proposals may hold, what they are expected to hold
CAUTION = 5  # held-out labels at which half of that may be spent
MOST_DOUBTFUL = 6  # times the allowance: how doubtful a single proposal may be
MOST_DOUBTS = 6


@dataclass(frozen=True)
class Proposals:
    """item_ids: int64 (n,). labels: class indices int64 (n,). scores: their calibrated probabilities (n,)."""

    item_ids: Ints
    labels: Ints
    scores: Float32s

    def of_class(self, label: int) -> Proposals:
        mine = self.labels == label
        return Proposals(self.item_ids[mine], self.labels[mine], self.scores[mine])

    def counts(self, n_classes: int) -> list[int]:
        return [int(count) for count in np.bincount(self.labels, minlength=n_classes)]


def class_thresholds(
    probs: Float32s, allowed: Bools, confidence: float, doubts: Ints, measured: int
) -> Float32s:
    """The calibrated probability from which on an item is proposed, float32 (n_classes,).

    For each class the least at which its proposals together are expected to be wrong in no more than a part
    of what `confidence` allows, and no single one of them may be very doubtful. The part is SPENT in the
    end, and less while few held-out labels vouch for the calibration.

    probs: calibrated, float32 (n, n_classes). allowed: bool (n,), items that may be proposed.
    doubts: per class, how often its proposals failed: each time what is allowed is halved.
    measured: held-out labels that the calibration has seen.
    """
    spent = SPENT * measured / (measured + CAUTION)
    labels = probs.argmax(axis=1)
    thresholds = np.empty(probs.shape[1], dtype=np.float32)
    for label, failures in enumerate(np.minimum(doubts, MOST_DOUBTS)):
        allowance = (1 - confidence) * 0.5**failures
        scores = -np.sort(-probs[allowed & (labels == label), label].astype(np.float64))
        means = np.cumsum(scores) / np.arange(1, len(scores) + 1)
        last_of_equals = np.append(scores[1:] < scores[:-1], True)[: len(scores)]
        good = np.flatnonzero(last_of_equals & (means >= 1 - spent * allowance))
        floor = max(0.5, 1 - MOST_DOUBTFUL * allowance)
        thresholds[label] = max(floor, scores[good[-1]]) if len(good) else 1 - spent * allowance
    return thresholds


def propose(item_ids: Ints, probs: Float32s, thresholds: Float32s, allowed: Bools) -> Proposals:
    """Items at or over their most probable class's threshold.

    probs: calibrated, float32 (n, n_classes). thresholds: float32 (n_classes,).
    allowed: bool (n,), False for items that are labelled already or were rejected by a person.
    """
    labels = probs.argmax(axis=1).astype(np.int64)
    scores = probs[np.arange(len(probs)), labels]
    sure = allowed & (scores >= thresholds[labels])
    return Proposals(item_ids[sure], labels[sure], scores[sure])


def draw_batch(proposals: Proposals, size: int, rng: np.random.Generator) -> Proposals:
    """A uniform random sample without replacement, so that what a person finds in it holds for the rest."""
    chosen = rng.permutation(len(proposals.item_ids))[:size]
    return Proposals(proposals.item_ids[chosen], proposals.labels[chosen], proposals.scores[chosen])
