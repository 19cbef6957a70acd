from __future__ import annotations

import numpy as np
import pytest

from lightbulb.decoders.mlp import MLP
from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.training.evaluate import accuracy_of, confusion_of, per_class, stratified_folds
from lightbulb.training.fit import CalibratedClassifier, Labelled, fit_classifier

NOTHING = np.empty((0, 32), dtype=np.float32)


def nothing_more() -> np.ndarray:
    return NOTHING


def clouds(n: int, rng: np.random.Generator, n_classes: int = 3) -> Labelled:
    """Noisy clouds around class centres in 32 dimensions, positive as pooled features are."""
    centres = np.random.default_rng(5).gamma(1.0, 1.0, (n_classes, 32))
    targets = rng.integers(0, n_classes, n)
    noise = rng.gamma(1.0, 0.25, (n, 32))
    return Labelled((centres[targets] + noise).astype(np.float32), targets.astype(np.int64))


def test_wilson_interval_by_hand() -> None:
    """8 of 10: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.959964."""
    probs = np.tile(np.array([[0.9, 0.1]], dtype=np.float32), (10, 1))
    found = accuracy_of(probs, np.array([0] * 8 + [1] * 2))
    assert found is not None and found.n == 10 and found.value == 0.8
    assert found.low == pytest.approx(0.49016, abs=1e-4) and found.high == pytest.approx(0.94333, abs=1e-4)


def test_too_few_held_out_labels_give_no_percentage() -> None:
    assert accuracy_of(np.ones((4, 2), dtype=np.float32), np.zeros(4, dtype=np.int64)) is None


def test_folds_deal_every_class_out_evenly() -> None:
    targets = np.array([0] * 8 + [1] * 4)
    folds = stratified_folds(targets, 4, np.random.default_rng(0))
    for label, each in ((0, 2), (1, 1)):
        assert np.bincount(folds[targets == label], minlength=4).tolist() == [each] * 4


def test_learns_and_measures_on_what_it_did_not_see() -> None:
    rng = np.random.default_rng(0)
    train, held_out, test = clouds(60, rng), clouds(40, rng), clouds(400, rng)
    pool = PoolStatistics.of(test.embeddings)
    fitted = fit_classifier(MLP, train, held_out, nothing_more, 3, pool, np.random.default_rng(0))
    right = (fitted.classifier.probabilities(test.embeddings).argmax(axis=1) == test.targets).mean()
    assert right > 0.9
    assert fitted.accuracy is not None and fitted.accuracy.n == 40


def test_held_out_labels_never_reach_the_decoder() -> None:
    """Wrong held-out labels lower the measured accuracy and leave the decoder's weights as they were."""
    rng = np.random.default_rng(0)
    train, held_out = clouds(60, rng), clouds(40, rng)
    pool = PoolStatistics.of(train.embeddings)
    wrong = Labelled(held_out.embeddings, (held_out.targets + 1) % 3)
    honest, lied_to = (
        fit_classifier(MLP, train, measured, nothing_more, 3, pool, np.random.default_rng(0))
        for measured in (held_out, wrong)
    )
    for name, array in honest.classifier.decoder.arrays().items():
        np.testing.assert_array_equal(array, lied_to.classifier.decoder.arrays()[name])
    assert lied_to.accuracy is not None and lied_to.accuracy.value < 0.2
    assert lied_to.classifier.temperature > honest.classifier.temperature


def test_confidence_holds_on_new_items() -> None:
    """Of what is given at least 97%, at least 97% is right."""
    rng = np.random.default_rng(1)
    train, held_out, test = clouds(40, rng), clouds(10, rng), clouds(2000, rng)
    fitted = fit_classifier(
        MLP, train, held_out, nothing_more, 3, PoolStatistics.of(test.embeddings), np.random.default_rng(0)
    )
    probs = fitted.classifier.probabilities(test.embeddings)
    sure = probs.max(axis=1) >= 0.97
    assert (probs.argmax(axis=1) == test.targets)[sure].mean() >= 0.97


def test_what_the_encoder_was_tuned_on_does_not_vouch_for_the_confidence() -> None:
    """A tuned encoder puts what it has learnt where it belongs; new items stay as hard as they were."""
    rng = np.random.default_rng(1)
    train, held_out, test = clouds(200, rng), clouds(20, rng), clouds(2000, rng)
    flipped = [Labelled(one.embeddings, hard(one.targets)) for one in (train, held_out, test)]
    seen = np.arange(200) < 150
    easy = np.where(seen, train.targets, flipped[0].targets)  # as if learnt by heart
    pool = PoolStatistics.of(test.embeddings)

    def surplus(unseen: np.ndarray | None) -> float:
        """How much surer the model is of new items than it is right."""
        fitted = fit_classifier(
            MLP, Labelled(train.embeddings, easy), flipped[1], nothing_more, 3, pool,
            np.random.default_rng(0), unseen,
        )  # fmt: skip
        probs = fitted.classifier.probabilities(test.embeddings)
        return float(probs.max(axis=1).mean() - (probs.argmax(axis=1) == flipped[2].targets).mean())

    assert surplus(None) > 0.1
    assert abs(surplus(~seen)) < 0.5 * surplus(None)


def hard(targets: np.ndarray) -> np.ndarray:
    """A third of the labels is another class than the picture shows."""
    changed = np.random.default_rng(2).random(len(targets)) < 1 / 3
    return np.where(changed, (targets + 1) % 3, targets)


def test_saved_and_loaded_it_predicts_the_same() -> None:
    rng = np.random.default_rng(0)
    train = clouds(30, rng)
    nothing = Labelled(NOTHING, np.empty(0, dtype=np.int64))
    pool = PoolStatistics.of(train.embeddings)
    fitted = fit_classifier(MLP, train, nothing, nothing_more, 3, pool, np.random.default_rng(0)).classifier
    again = CalibratedClassifier.from_arrays(MLP, fitted.arrays())
    np.testing.assert_allclose(
        again.probabilities(train.embeddings), fitted.probabilities(train.embeddings), rtol=1e-6
    )


def test_confusion_and_per_class_by_hand() -> None:
    called = np.array([0, 0, 1, 1, 1])
    probs = np.eye(3, dtype=np.float32)[called]
    confusion = confusion_of(probs, np.array([0, 1, 1, 1, 0]))
    assert confusion.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    first, second, third = per_class(confusion)
    assert (first.precision, first.recall, first.n) == (0.5, 0.5, 2)
    assert (second.precision, second.recall, second.n) == (2 / 3, 2 / 3, 3)
    assert (third.precision, third.recall, third.n) == (None, None, 0)
