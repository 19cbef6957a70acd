from __future__ import annotations

import numpy as np

from lightbulb.autolabel.propose import Proposals, draw_batch, propose

PROBS = np.array([[0.98, 0.02], [0.96, 0.04], [0.01, 0.99], [0.97, 0.03]], dtype=np.float32)
IDS = np.array([11, 12, 13, 14])


def test_only_what_passes_its_class_threshold_and_is_allowed() -> None:
    thresholds = np.array([0.97, 0.995], dtype=np.float32)
    allowed = np.array([True, True, True, False])
    found = propose(IDS, PROBS, thresholds, allowed)
    assert found.item_ids.tolist() == [11] and found.labels.tolist() == [0]


def test_the_threshold_itself_passes() -> None:
    found = propose(IDS, PROBS, np.array([0.97, 0.97], dtype=np.float32), np.ones(4, dtype=np.bool_))
    assert found.item_ids.tolist() == [11, 13, 14]
    assert found.counts(2) == [2, 1]
    assert found.of_class(1).item_ids.tolist() == [13]


def test_a_batch_is_a_uniform_sample_not_the_surest() -> None:
    everything = Proposals(
        np.arange(20), np.zeros(20, dtype=np.int64), np.linspace(0.97, 1, 20, dtype=np.float32)
    )
    counts = np.zeros(20)
    for seed in range(600):
        drawn = draw_batch(everything, 5, np.random.default_rng(seed))
        assert len(set(drawn.item_ids.tolist())) == 5
        counts[drawn.item_ids] += 1
    assert counts.min() > 100 and counts.max() < 200  # 150 expected of each
