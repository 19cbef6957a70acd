"""Whether one of two classifiers is better, on the same items: a paired comparison that asks for evidence.

Log loss tells two classifiers apart with far fewer items than accuracy does: every item says something,
not only those that the two disagree on. A difference has to be unlikely to be luck: else one attempt after
another would in the end take up a network that merely suits the items it is measured on, and flatters it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_1samp

from lightbulb.records import Bools, Float32s, Float64s, Ints

SURELY = 0.05  # the largest p-value that counts as evidence
LEAST_PROBABILITY = 1e-6  # a single item must not outweigh all others


@dataclass(frozen=True)
class Comparison:
    """gain: mean drop of the log loss on all items. p_value: of a drop as large by luck, one-sided.

    held_out_gain: the drop on the held-out items. accuracy_before, accuracy_after: on these. n: items.
    """

    gain: float
    p_value: float
    held_out_gain: float
    accuracy_before: float
    accuracy_after: float
    n: int

    @property
    def better(self) -> bool:
        no_worse = self.held_out_gain > 0 and self.accuracy_after >= self.accuracy_before
        return no_worse and self.p_value <= SURELY


def compare(before: Float32s, after: Float32s, targets: Ints, held_out: Bools) -> Comparison:
    """before, after: probabilities (n, n_classes) of the same items, which neither has learnt from.

    targets: class indices (n,). held_out: which of the items are held out, (n,); some must be.
    """
    drop = log_losses(before, targets) - log_losses(after, targets)
    varied = len(drop) > 1 and bool(np.ptp(drop) > 0)
    right = [float((probs.argmax(axis=1) == targets)[held_out].mean()) for probs in (before, after)]
    return Comparison(
        gain=float(drop.mean()),
        p_value=float(ttest_1samp(drop, 0.0, alternative="greater").pvalue) if varied else 1.0,
        held_out_gain=float(drop[held_out].mean()),
        accuracy_before=right[0],
        accuracy_after=right[1],
        n=len(drop),
    )


def log_losses(probs: Float32s, targets: Ints) -> Float64s:
    """-ln of the probability that each target was given, float64 (n,)."""
    given = probs[np.arange(len(targets)), targets].astype(np.float64)
    return np.asarray(-np.log(np.maximum(given, LEAST_PROBABILITY)))
