"""From labelled embeddings to a calibrated, evaluated classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightbulb.autolabel.calibrate import fit_temperature, probabilities
from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.records import Accuracy, Bools, Float32s, Ints
from lightbulb.training.evaluate import accuracy_of, confusion_of, stratified_folds
from lightbulb.training.pseudo_labels import FEW, self_taught

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
    confusion: of the held-out examples, int64 (n_classes, n_classes), rows what they are.
    held_out: their probabilities, float32 (n, n_classes).
    out_of_fold: of the training examples, each by a classifier that did not see it, float32
    (n, n_classes); NaN where there was none.
    """

    classifier: CalibratedClassifier
    accuracy: Accuracy | None
    members: tuple[CalibratedClassifier, ...]
    confusion: Ints
    held_out: Float32s
    out_of_fold: Float32s


def fit_classifier(
    decoder: type[Decoder],
    train: Labelled,
    held_out: Labelled,
    unlabelled: Callable[[], Float32s],
    n_classes: int,
    pool: PoolStatistics,
    rng: np.random.Generator,
    unseen: Bools | None = None,
) -> Fitted:
    """Fits on `train`, and while that is small on what it is sure of among `unlabelled`.

    unlabelled: float32 (n, dim), nothing of it held out; asked for only if it is used.
    unseen: which of `train` the encoder was not tuned on, bool (n,); None: none was.
    Calibrates on out-of-fold and held-out predictions; measures on `held_out`.
    """
    folds = stratified_folds(train.targets, FOLDS, rng)
    subsets = np.stack([np.ones(len(folds), dtype=np.bool_), *(folds != fold for fold in range(FOLDS))])
    decoders = decoder.fit_each(train.embeddings, train.targets, n_classes, subsets, pool, rng)
    extra = unlabelled() if len(train.targets) <= FEW else train.embeddings[:0]
    if len(extra):
        # Each fold's from its own answers: another's would tell it of the labels it must not see.
        decoders = [
            self_taught(one, train.embeddings[seen], train.targets[seen], extra, n_classes, pool, rng)
            for one, seen in zip(decoders, subsets, strict=True)
        ]
    final, *fold_decoders = decoders
    out_of_fold = out_of_fold_logits(fold_decoders, folds, train.embeddings, n_classes)
    predicted = np.isfinite(out_of_fold).all(axis=1)
    # Held-out and out of fold: on what a decoder has learnt by heart its confidence would seem justified.
    # And what the encoder was tuned on lies where its label belongs, whichever decoder looks at it.
    fair = predicted if unseen is None else predicted & unseen
    logits = np.concatenate([final.logits(held_out.embeddings), out_of_fold[fair]])
    temperature = fit_temperature(logits, np.concatenate([held_out.targets, train.targets[fair]]))
    classifier = CalibratedClassifier(final, temperature)
    probs = classifier.probabilities(held_out.embeddings)
    return Fitted(
        classifier=classifier,
        accuracy=accuracy_of(probs, held_out.targets),
        members=tuple(CalibratedClassifier(member, temperature) for member in fold_decoders),
        confusion=confusion_of(probs, held_out.targets),
        held_out=probs,
        out_of_fold=probabilities(out_of_fold, temperature),
    )


def out_of_fold_logits(
    fold_decoders: Sequence[Decoder], folds: Ints, embeddings: Float32s, n_classes: int
) -> Float32s:
    """Of each example by the decoder that was fitted without its fold, float32 (n, n_classes), else NaN."""
    logits = np.full((len(folds), n_classes), np.nan, dtype=np.float32)
    for fold, decoder in enumerate(fold_decoders):
        mine = folds == fold
        if mine.any() and not mine.all():
            logits[mine] = decoder.logits(embeddings[mine])
    return logits
