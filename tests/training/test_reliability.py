from __future__ import annotations

import numpy as np
import pytest

from lightbulb.training.reliability import reliability_of


def test_bins_and_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.91, 0.99, 0.55, 0.58], dtype=np.float32)
    right = np.array([True, True, True, False, True, False])
    found = reliability_of(confidence, right)
    last, sixth = found.bins[9], found.bins[5]
    assert (last.n, last.right, last.low, last.high) == (4, 0.75, pytest.approx(0.9), 1.0)
    assert last.confidence == pytest.approx(0.95) and sixth.n == 2 and sixth.right == 0.5
    assert found.error == pytest.approx((4 * 0.20 + 2 * 0.065) / 6, abs=1e-6)
    assert (
        last.right_low is not None and last.right_high is not None and last.right_low < 0.75 < last.right_high
    )
    assert found.bins[0].n == 0 and found.bins[0].right is None


def test_a_confidence_on_an_edge_is_in_the_lower_bin_and_none_is_lost() -> None:
    confidence = np.array([0.0, 0.5, 1.0], dtype=np.float32)
    found = reliability_of(confidence, np.ones(3, dtype=np.bool_))
    assert [one.n for one in found.bins] == [1, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def test_nothing_measured() -> None:
    found = reliability_of(np.empty(0, dtype=np.float32), np.empty(0, dtype=np.bool_))
    assert (found.n, found.error) == (0, None)


def test_what_is_as_often_right_as_it_says_has_no_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 20_000).astype(np.float32)
    assert (reliability_of(confidence, rng.random(20_000) < confidence).error or 0) < 0.02
