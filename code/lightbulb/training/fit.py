"""From labelled embeddings to a calibrated, evaluated classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightbulb.autolabel.calibrate import fit_temperature, probabilities
from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.records import Accuracy, Float32s, Ints
from lightbulb.training.evaluate import accuracy_of, stratified_folds

FOLDS = 4


@dataclass(frozen=True)
class Labelled:
    """embeddings: float32 (n, dim). targets: class indices int64 (n,)."""

    embeddings: Float32s
    targets: Ints


@dataclass(frozen=True)
class CalibratedClassifier:
    """A decoder and the temperature its logits are divided by."""

    decoder: Decoder
    temperature: float

    def probabilities(self, embeddings: Float32s) -> Float32s:
        """float32 (n, dim) → float32 (n, n_classes), rows sum to 1."""
        return probabilities(self.decoder.logits(embeddings), self.temperature)

    def arrays(self) -> Mapping[str, np.ndarray]:
        return {**self.decoder.arrays(), "temperature": np.array([self.temperature])}

    @classmethod
    def from_arrays(cls, decoder: type[Decoder], arrays: Mapping[str, np.ndarray]) -> CalibratedClassifier:
        return cls(decoder.from_arrays(arrays), float(arrays["temperature"][0]))


@dataclass(frozen=True)
class Fitted:
    """accuracy: on the held-out examples; None while there are too few.

    members: one classifier per fold, each fitted without a quarter of the labels: a small ensemble.
    """

    classifier: CalibratedClassifier
    accuracy: Accuracy | None
    members: tuple[CalibratedClassifier, ...]


def fit_classifier(
    decoder: type[Decoder],
    train: Labelled,
    held_out: Labelled,
    n_classes: int,
    pool: PoolStatistics,
    rng: np.random.Generator,
) -> Fitted:
    """Fits on `train` alone; calibrates on out-of-fold and held-out predictions; measures on `held_out`."""
    folds = stratified_folds(train.targets, FOLDS, rng)
    subsets = np.stack([np.ones(len(folds), dtype=np.bool_), *(folds != fold for fold in range(FOLDS))])
    final, *fold_decoders = decoder.fit_each(train.embeddings, train.targets, n_classes, subsets, pool, rng)
    logits, targets = unseen_predictions(final, fold_decoders, folds, train, held_out)
    temperature = fit_temperature(logits, targets)
    classifier = CalibratedClassifier(final, temperature)
    accuracy = accuracy_of(classifier.probabilities(held_out.embeddings), held_out.targets)
    members = tuple(CalibratedClassifier(member, temperature) for member in fold_decoders)
    return Fitted(classifier, accuracy, members)


def unseen_predictions(
    final: Decoder, fold_decoders: list[Decoder], folds: Ints, train: Labelled, held_out: Labelled
) -> tuple[Float32s, Ints]:
    """(logits, targets) of examples by decoders that did not train on them.

    Calibrating on training labels would inflate the confidence: a decoder has learnt those by heart.
    """
    logits, targets = [final.logits(held_out.embeddings)], [held_out.targets]
    for fold, decoder in enumerate(fold_decoders):
        mine = folds == fold
        if mine.any() and not mine.all():
            logits.append(decoder.logits(train.embeddings[mine]))
            targets.append(train.targets[mine])
    return np.concatenate(logits), np.concatenate(targets)
