from __future__ import annotations

import numpy as np

from lightbulb.autolabel.calibrate import fit_temperature, probabilities


def sample(temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels are drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (n, 4)).astype(np.float32)
    probs = probabilities(logits, temperature)
    targets = np.array([rng.choice(4, p=row / row.sum()) for row in probs.astype(np.float64)])
    return logits, targets


def test_finds_the_temperature_the_labels_were_drawn_with() -> None:
    for wanted in (0.7, 1.0, 2.5):
        logits, targets = sample(wanted)
        assert abs(fit_temperature(logits, targets) / wanted - 1) < 0.1


def test_a_few_right_answers_do_not_make_it_certain() -> None:
    logits = np.tile(np.array([[3.0, 0.0]], dtype=np.float32), (8, 1))
    temperature = fit_temperature(logits, np.zeros(8, dtype=np.int64))
    assert probabilities(logits, temperature)[0, 0] < 0.95


def test_nothing_to_fit_on() -> None:
    assert fit_temperature(np.empty((0, 3), dtype=np.float32), np.empty(0, dtype=np.int64)) == 1.0


def test_rows_sum_to_one_even_for_huge_logits() -> None:
    probs = probabilities(np.array([[1e4, -1e4, 0.0]], dtype=np.float32), 0.1)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    assert np.isfinite(probs).all()
