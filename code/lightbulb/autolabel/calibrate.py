"""Temperature scaling (Guo et al. 2017, arXiv 1706.04599), fitted on predictions the model did not train on.

Targets are smoothed as Platt (1999) smooths his: after n examples, all right, the likelihood alone
would make the model certain; the smoothed target keeps it at about 1 - 1/(n + 2).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from lightbulb.records import Float32s, Ints

COLDEST, HOTTEST = 0.1, 20.0


def fit_temperature(logits: Float32s, targets: Ints) -> float:
    """The temperature that makes softmax(logits / T) likeliest.

    logits: float32 (n, n_classes), out of fold or held out. targets: class indices (n,).
    Returns 1.0 when there is nothing to fit it on.
    """
    n, n_classes = logits.shape
    if n == 0:
        return 1.0
    smoothing = 1.0 / (n + 2)
    wanted = np.full((n, n_classes), smoothing / (n_classes - 1))
    wanted[np.arange(n), targets] = 1 - smoothing

    def loss(log_temperature: float) -> float:
        return -float((wanted * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def probabilities(logits: Float32s, temperature: float) -> Float32s:
    """float32 (n, n_classes), rows sum to 1."""
    return softmax(logits.astype(np.float64) / temperature, axis=1).astype(np.float32)
