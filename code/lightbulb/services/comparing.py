"""Two encoders on the same items: a model is fitted to the embeddings of each, and the two are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.records import Bools, Float32s, Ints
from lightbulb.training.compare import Comparison, compare
from lightbulb.training.fit import Labelled, fit_classifier


@dataclass(frozen=True)
class Shared:
    """What both are compared on: ids and, for the first two, class indices.

    teaching: what is fitted to. measured: held out. free: what a model may teach itself with.
    """

    teaching: Ints
    targets: Ints
    measured: Ints
    measured_targets: Ints
    free: Ints
    n_classes: int


@dataclass(frozen=True)
class Contestant:
    """embeddings: of ids, float32 (n, dim). unseen: the teaching items it was not tuned on, bool (n,)."""

    embeddings: Callable[[Ints], Float32s]
    unseen: Bools


def compare_encoders(
    before: Contestant, after: Contestant, shared: Shared, decoder: type[Decoder], seed: int
) -> Comparison:
    """On the held-out items, and on the taught ones that neither was tuned on, out of fold."""
    fitted = [_probs(one, shared, decoder, seed) for one in (before, after)]
    fair = before.unseen & after.unseen
    for _, out_of_fold in fitted:
        fair &= np.isfinite(out_of_fold).all(axis=1)
    probs = [np.concatenate([measured, out_of_fold[fair]]) for measured, out_of_fold in fitted]
    targets = np.concatenate([shared.measured_targets, shared.targets[fair]])
    return compare(probs[0], probs[1], targets, np.arange(len(targets)) < len(shared.measured))


def _probs(one: Contestant, shared: Shared, decoder: type[Decoder], seed: int) -> tuple[Float32s, Float32s]:
    """(of the held-out items, out of fold of the teaching ones), float32 (n, n_classes) each.

    Both are normalised by the same items, of which they may know more or fewer otherwise.
    """
    teaching, measured, free = (
        one.embeddings(ids) for ids in (shared.teaching, shared.measured, shared.free)
    )
    fitted = fit_classifier(
        decoder,
        Labelled(teaching, shared.targets),
        Labelled(measured, shared.measured_targets),
        lambda: free,
        shared.n_classes,
        PoolStatistics.of(np.concatenate([teaching, measured, free])),
        np.random.default_rng(seed),
        one.unseen,
    )
    return fitted.classifier.probabilities(measured), fitted.out_of_fold
