from __future__ import annotations

import numpy as np

from lightbulb.training.suspects import find_suspects


def test_by_hand() -> None:
    probs = np.array(
        [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.45, 0.55]], dtype=np.float32
    )
    labels = np.array([0, 0, 0, 1, 1, 0])
    # usual confidence: of class 0 (.9 + .8 + .1 + .45) / 4 = .5625, of class 1 (.7 + .8) / 2 = .75
    found = find_suspects(probs, labels)
    assert found.rows.tolist() == [2] and found.suggested.tolist() == [1]  # .9 is over .75; .55 is not
    np.testing.assert_allclose(found.scores, [0.8], atol=1e-6)


def test_the_worst_first() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    probs = np.full((300, 3), 0.05)
    probs[np.arange(300), labels] = 0.9
    wrong = rng.choice(300, 6, replace=False)
    given = labels.copy()
    given[wrong] = (labels[wrong] + 1) % 3
    probs[wrong, labels[wrong]] = np.linspace(0.9, 0.99, 6)
    found = find_suspects(probs.astype(np.float32), given)
    assert found.rows.tolist() == wrong[::-1].tolist()
    assert (found.suggested == labels[found.rows]).all()
    assert (np.diff(found.scores) <= 0).all()


def test_classes_without_examples_and_nothing_odd() -> None:
    probs = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]], dtype=np.float32)
    assert not len(find_suspects(probs, np.array([0, 0])).rows)
    assert not len(find_suspects(np.empty((0, 3), np.float32), np.empty(0, np.int64)).rows)
