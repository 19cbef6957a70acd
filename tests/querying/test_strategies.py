"""Every strategy meets one contract, found by name and unasked; each has its hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest

import lightbulb.querying
from lightbulb.querying import Pool, QueryStrategy
from lightbulb.querying.margin import Margin
from lightbulb.querying.random_order import RandomOrder
from lightbulb.querying.select import select
from lightbulb.registry import discover

STRATEGIES = discover(lightbulb.querying, QueryStrategy)


def pool_of(n: int, n_classes: int = 3) -> Pool:
    rng = np.random.default_rng(1)
    return Pool(np.arange(10, 10 + n), rng.dirichlet(np.ones(n_classes), n).astype(np.float32))


@pytest.mark.parametrize("name", STRATEGIES)
class TestEveryStrategy:
    def test_scores_each_item_with_a_finite_number(self, name: str) -> None:
        scores = STRATEGIES[name]().scores(pool_of(7), np.random.default_rng(0))
        assert scores.shape == (7,) and np.isfinite(scores).all()

    def test_asks_for_no_item_twice_and_only_for_items_of_the_pool(self, name: str) -> None:
        chosen = select(STRATEGIES[name](), pool_of(7), 50, np.random.default_rng(0))
        assert sorted(chosen) == list(range(10, 17))

    def test_same_seed_same_questions(self, name: str) -> None:
        picks = [select(STRATEGIES[name](), pool_of(40), 5, np.random.default_rng(3)) for _ in range(2)]
        assert picks[0] == picks[1]

    def test_empty_pool(self, name: str) -> None:
        assert select(STRATEGIES[name](), pool_of(0), 5, np.random.default_rng(0)) == []

    def test_works_before_there_is_a_model(self, name: str) -> None:
        chosen = select(STRATEGIES[name](), Pool(np.arange(5), None), 3, np.random.default_rng(0))
        assert len(set(chosen)) == 3


def test_margin_by_hand() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.34, 0.33, 0.33], [0.9, 0.05, 0.05]], dtype=np.float32)
    scores = Margin().scores(Pool(np.array([1, 2, 3]), probs), np.random.default_rng(0))
    np.testing.assert_allclose(scores, [-0.2, -0.01, -0.85], atol=1e-6)
    assert select(Margin(), Pool(np.array([1, 2, 3]), probs), 2, np.random.default_rng(0)) == [2, 1]


def test_random_order_is_uniform() -> None:
    first = [
        select(RandomOrder(), Pool(np.arange(4), None), 1, np.random.default_rng(seed))[0]
        for seed in range(400)
    ]
    assert np.bincount(first, minlength=4).min() > 70


def test_items_without_a_prediction_come_after_those_with_one() -> None:
    probs = np.array([[np.nan, np.nan], [0.99, 0.01], [0.5, 0.5]], dtype=np.float32)
    assert select(Margin(), Pool(np.array([7, 8, 9]), probs), 3, np.random.default_rng(0)) == [9, 8, 7]


def test_ties_are_broken_at_random() -> None:
    level = Pool(np.arange(10), np.full((10, 2), 0.5, dtype=np.float32))
    firsts = {select(Margin(), level, 1, np.random.default_rng(seed))[0] for seed in range(50)}
    assert len(firsts) > 5
