"""What more labels are likely to bring: the learning curve, carried on.

Accuracy against labels is fitted by an inverse power law, a - b n^-c (Figueroa et al. 2012, "Predicting
sample size required for classification performance"; Viering and Loog 2022, arXiv 2103.10948). All points
of a curve are measured on the same held-out items, or a part of them, so they err together: a curve counts
as one measurement on n items, not as many. The band therefore comes from fitting curves that are shifted
as a whole, and each point besides, by as much as n held-out items leave open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from lightbulb.records import Float64s, Ints

POINTS = 12  # the curve is thinned to as many, evenly over the logarithm of the labels
FEWEST = 4
REPEATS = 30  # fits to noisy curves, for the band
STEEPEST, FLATTEST = 2.0, 0.1


@dataclass(frozen=True)
class Forecast:
    """gain: expected rise in accuracy by `more` labels; low, high: its 90% band. All are fractions."""

    more: int
    gain: float
    low: float
    high: float


def forecast(
    labels: Ints, accuracies: Float64s, ns: Ints, rng: np.random.Generator, more: int = 50
) -> Forecast | None:
    """labels: int64 (k,), ascending. accuracies: (k,), measured on ns (k,) items. None for a short curve."""
    kept = thinned(labels)
    if len(kept) < FEWEST:
        return None
    x, y, n = labels[kept].astype(np.float64), accuracies[kept], ns[kept].astype(np.float64)
    # Wilson's centre: an accuracy of 1 on 5 items is no certainty
    centre = (y * n + 2) / (n + 4)
    noise = np.sqrt(centre * (1 - centre) / (n + 4))
    gains = [gain_of(x, centre, noise, more)]
    for _ in range(REPEATS):
        shifted = centre + rng.normal() * noise[-1] + rng.normal(size=len(x)) * 0.5 * noise
        gains.append(gain_of(x, np.clip(shifted, 0, 1), noise, more))
    low, high = np.quantile(gains, [0.05, 0.95])
    return Forecast(more, gains[0], min(float(low), gains[0]), max(float(high), gains[0]))


def thinned(labels: Ints) -> Ints:
    """Rows at about evenly spaced logarithms of the labels, the last always among them; int64 (k,)."""
    distinct = np.unique(labels, return_index=True)[0]
    if len(distinct) == 0:
        return np.empty(0, dtype=np.int64)
    wanted = np.geomspace(max(distinct[0], 1), distinct[-1], POINTS)
    chosen = np.unique(distinct[np.minimum(np.searchsorted(distinct, wanted - 1e-9), len(distinct) - 1)])
    # of several models with as many labels the newest counts
    return (np.searchsorted(labels, chosen, side="right") - 1).astype(np.int64)


def gain_of(x: Float64s, y: Float64s, noise: Float64s, more: int) -> float:
    """The rise of the fitted curve over the next labels, never below 0."""

    def residuals(parameters: Float64s) -> Float64s:
        return np.asarray((curve(parameters, x) - y) / noise, dtype=np.float64)

    start = np.array([min(0.99, max(y[-1], 0.05)), 1.0, 0.7])
    bounds = ([0.0, 0.0, FLATTEST], [1.0, 50.0, STEEPEST])
    fitted = least_squares(residuals, start, bounds=bounds, max_nfev=200).x
    now, later = curve(fitted, np.array([x[-1], x[-1] + more]))
    return float(max(0.0, later - now))


def curve(parameters: Float64s, x: Float64s) -> Float64s:
    """a - b x^-c."""
    a, b, c = parameters
    return np.asarray(a - b * x**-c, dtype=np.float64)
