from __future__ import annotations

import numpy as np

from lightbulb.training.forecast import POINTS, forecast, thinned


def measured(labels: np.ndarray, floor: float, factor: float) -> np.ndarray:
    return floor - factor * labels**-0.6


def test_carries_a_clean_curve_on() -> None:
    labels = np.arange(12, 160)
    ns = np.full(len(labels), 5000)
    found = forecast(labels, measured(labels, 0.97, 0.8), ns, np.random.default_rng(0))
    truth = measured(np.array([209.0]), 0.97, 0.8)[0] - measured(np.array([159.0]), 0.97, 0.8)[0]
    assert found is not None and found.more == 50
    assert abs(found.gain - truth) < 0.002
    assert found.low <= found.gain <= found.high and found.high - found.low < 0.01


def test_few_held_out_items_make_a_wide_band() -> None:
    labels = np.arange(12, 100)
    curve = measured(labels, 0.97, 0.8)
    wide, narrow = (
        forecast(labels, curve, np.full(len(labels), n), np.random.default_rng(0)) for n in (15, 3000)
    )
    assert wide is not None and narrow is not None
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_flat_curve_promises_little_and_never_a_loss() -> None:
    labels = np.arange(50, 400, 5)
    ns = np.full(len(labels), 300)
    flat = forecast(labels, np.full(len(labels), 0.95), ns, np.random.default_rng(0))
    falling = forecast(labels, 0.95 - labels / 4000, ns, np.random.default_rng(0))
    assert flat is not None and falling is not None
    assert 0 <= flat.gain < 0.01 and 0 <= falling.low <= falling.gain < 0.01


def test_a_short_curve_says_nothing() -> None:
    none = np.empty(0)
    assert forecast(none.astype(np.int64), none, none.astype(np.int64), np.random.default_rng(0)) is None
    labels = np.array([20, 20, 20, 30])
    assert forecast(labels, np.full(4, 0.9), np.full(4, 10), np.random.default_rng(0)) is None


def test_thinning_keeps_the_newest_of_each_and_the_last() -> None:
    labels = np.sort(np.tile(np.arange(10, 500), 2))
    rows = thinned(labels)
    assert POINTS - 2 <= len(rows) <= POINTS and rows[-1] == len(labels) - 1
    assert (rows % 2 == 1).all()
