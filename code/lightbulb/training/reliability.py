"""Whether a model is as often right as it says: the reliability diagram and the expected calibration error.

Guo et al. 2017, arXiv 1706.04599: examples are binned by the confidence in their most probable class; in
each bin the share that is right is held against the mean confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from lightbulb.records import Bools, Float32s

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Examples whose confidence is in (low, high], the first bin also at 0.

    confidence: its mean. right: share that is right, right_low and right_high its 95% interval (Wilson).
    These are None where n is 0.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    right: float | None
    right_low: float | None
    right_high: float | None


@dataclass(frozen=True)
class Reliability:
    """error: expected calibration error, the mean distance of the two weighted by n; None where n is 0."""

    n: int
    error: float | None
    bins: tuple[ReliabilityBin, ...]


def reliability_of(confidence: Float32s, right: Bools) -> Reliability:
    """confidence: of the most probable class, calibrated, (n,). right: whether it is the label, (n,)."""
    edges = np.linspace(0, 1, BINS + 1)
    of_bin = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    bins = tuple(
        _bin(float(edges[one]), float(edges[one + 1]), confidence[of_bin == one], right[of_bin == one])
        for one in range(BINS)
    )
    distances = [
        one.n * abs(one.right - one.confidence)
        for one in bins
        if one.right is not None and one.confidence is not None
    ]
    return Reliability(len(right), sum(distances) / len(right) if len(right) else None, bins)


def _bin(low: float, high: float, confidence: Float32s, right: Bools) -> ReliabilityBin:
    n, hits = len(right), int(right.sum())
    if not n:
        return ReliabilityBin(low, high, 0, None, None, None, None)
    interval = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    mean = float(confidence.mean(dtype=np.float64))
    return ReliabilityBin(low, high, n, mean, hits / n, float(interval.low), float(interval.high))
