from __future__ import annotations

import numpy as np

from lightbulb.autolabel.propose import MOST_DOUBTFUL, SPENT, class_thresholds, propose

MANY = 10**6
NO_DOUBTS = np.zeros(2, dtype=np.int64)


def binary(*scores: float) -> np.ndarray:
    """Probabilities of two classes; a negative score is of the second one."""
    first = [score if score > 0 else 1 + score for score in scores]
    return np.array([[one, 1 - one] for one in first], dtype=np.float32)


def proposed(
    probs: np.ndarray, confidence: float, doubts: np.ndarray = NO_DOUBTS, measured: int = MANY
) -> list[int]:
    everything = np.ones(len(probs), dtype=np.bool_)
    thresholds = class_thresholds(probs, everything, confidence, doubts, measured)
    return propose(np.arange(len(probs)), probs, thresholds, everything).item_ids.tolist()


def test_as_many_as_may_be_expected_to_be_right_together() -> None:
    limit = 1 - SPENT * 0.1
    probs = binary(1.0, 0.99, 0.9, 0.89, 0.6, -0.95)
    means = [1.0, 0.995, 0.9633, 0.945, 0.876]
    assert [mean >= limit for mean in means] == [True, True, True, True, False]
    assert proposed(probs, 0.9) == [0, 1, 2, 3, 5]


def test_no_single_one_may_be_very_doubtful() -> None:
    probs = binary(*[1.0] * 200, 1 - MOST_DOUBTFUL * 0.03 - 0.01)
    assert proposed(probs, 0.97) == list(range(200))
    assert proposed(binary(*[1.0] * 200, 0.51), 0.6)[-1] == 200
    thresholds = class_thresholds(binary(1.0), np.ones(1, dtype=np.bool_), 0.5, NO_DOUBTS, MANY)
    assert thresholds[0] >= 0.5


def test_classes_are_judged_apart() -> None:
    assert proposed(binary(0.999, 0.999, -0.9, -0.8), 0.97) == [0, 1]


def test_each_failure_halves_what_is_allowed() -> None:
    probs = binary(*[0.99] * 10, *[0.97] * 10, *np.linspace(0.96, 0.93, 30))
    counts = [len(proposed(probs, 0.97, np.array([doubts, 0]))) for doubts in range(4)]
    assert counts[0] > counts[1] > counts[2] == counts[3] == 0


def test_equal_scores_are_proposed_together_or_not_at_all() -> None:
    assert proposed(binary(*[0.99] * 10, *[0.95] * 30), 0.97) == list(range(10))


def test_labelled_items_do_not_make_up_for_doubtful_ones() -> None:
    probs = binary(*[1.0] * 50, 0.9)
    allowed = np.zeros(51, dtype=np.bool_)
    allowed[50] = True
    thresholds = class_thresholds(probs, allowed, 0.97, NO_DOUBTS, MANY)
    assert not len(propose(np.arange(51), probs, thresholds, allowed).item_ids)


def test_few_held_out_labels_make_it_cautious() -> None:
    probs = binary(*np.linspace(1.0, 0.9, 101))
    counts = [len(proposed(probs, 0.97, measured=measured)) for measured in (5, 10, 30, 300)]
    assert counts == sorted(counts) and counts[0] < 0.7 * counts[-1]
