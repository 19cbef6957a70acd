from __future__ import annotations

import numpy as np
import pytest

from lightbulb.decoders.mlp import MLP
from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.training import fit
from lightbulb.training.fit import Labelled, fit_classifier
from lightbulb.training.pseudo_labels import FEW, surest


def clouds(n: int, rng: np.random.Generator) -> Labelled:
    """Three wide clouds in 32 dimensions, positive as pooled features are."""
    centres = np.random.default_rng(5).gamma(1.0, 1.0, (3, 32))
    targets = rng.integers(0, 3, n)
    return Labelled((centres[targets] + rng.gamma(1.0, 1.2, (n, 32))).astype(np.float32), targets)


def test_the_surest_of_each_class_by_hand() -> None:
    """Called 0: rows 0, 2, 3, 4, 6, whose surest two are 3 and 0; called 1: rows 1, 5, of which one."""
    sure = np.array([0.9, 0.6, 0.7, 0.95, 0.8, 0.75, 0.6], dtype=np.float32)
    called = np.array([0, 1, 0, 0, 0, 1, 0])
    probs = np.zeros((7, 3), dtype=np.float32)
    probs[np.arange(7), called] = sure
    rows, classes = surest(probs, 0.4)
    assert dict(zip(rows.tolist(), classes.tolist(), strict=True)) == {3: 0, 0: 0, 5: 1}


def test_unlabelled_items_raise_the_accuracy_of_few_labels() -> None:
    with_them, without = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        train, unlabelled, test = clouds(9, rng), clouds(400, rng), clouds(1000, rng)
        pool = PoolStatistics.of(unlabelled.embeddings)
        for found, count in ((with_them, 400), (without, 0)):
            extra = unlabelled.embeddings[:count]
            fitted = fit_classifier(
                MLP, train, clouds(0, rng), lambda some=extra: some, 3, pool, np.random.default_rng(0)
            )
            probs = fitted.classifier.probabilities(test.embeddings)
            found.append((probs.argmax(axis=1) == test.targets).mean())
    assert np.mean(with_them) > np.mean(without) + 0.02


def test_out_of_fold_nothing_is_known_of_the_labels_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """All labels of one fold swapped: what the decoder fitted without it predicts stays as it was."""
    rng = np.random.default_rng(1)
    train, unlabelled = clouds(24, rng), clouds(200, rng)
    pool = PoolStatistics.of(unlabelled.embeddings)
    folds = np.arange(24) % 4
    monkeypatch.setattr(fit, "stratified_folds", lambda *_: folds)

    def out_of_fold(targets: np.ndarray) -> np.ndarray:
        fitted = fit_classifier(
            MLP, Labelled(train.embeddings, targets), clouds(0, rng), lambda: unlabelled.embeddings, 3, pool,
            np.random.default_rng(0),
        )  # fmt: skip
        logits = np.log(fitted.out_of_fold) * fitted.classifier.temperature
        return logits - logits.mean(axis=1, keepdims=True)

    before = out_of_fold(train.targets)
    after = out_of_fold(np.where(folds == 0, (train.targets + 1) % 3, train.targets))
    np.testing.assert_allclose(after[folds == 0], before[folds == 0], atol=1e-3)
    assert np.abs(after[folds != 0] - before[folds != 0]).max() > 0.1


def test_many_labels_need_no_help() -> None:
    rng = np.random.default_rng(2)
    train, unlabelled = clouds(FEW + 1, rng), clouds(100, rng)
    pool = PoolStatistics.of(unlabelled.embeddings)

    def unasked() -> np.ndarray:
        raise AssertionError("looked for more examples than it uses")

    fitted = fit_classifier(MLP, train, clouds(0, rng), unasked, 3, pool, np.random.default_rng(0))
    assert np.isfinite(fitted.out_of_fold).all()
