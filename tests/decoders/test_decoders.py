"""One contract for every decoder, found by name and unasked."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import lightbulb.decoders
from lightbulb.decoders import Decoder
from lightbulb.decoders.knn import KNN, PRIOR, SHARPNESS, neighbours_for
from lightbulb.decoders.mlp import MLP
from lightbulb.decoders.normalise import RADIUS, PoolStatistics, Projection, normalise
from lightbulb.registry import discover

DECODERS = discover(lightbulb.decoders, Decoder)


def separable(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    x = rng.gamma(1.0, 0.3, (n, 24)).astype(np.float32)
    x[targets == 1, :4] += 1.0
    return x, targets.astype(np.int64)


@pytest.mark.parametrize("name", DECODERS)
class TestEveryDecoder:
    def test_fits_each_subset_by_itself(self, name: str) -> None:
        x, targets = separable(40)
        pool = PoolStatistics.of(x)
        subsets = np.ones((2, 40), dtype=np.bool_)
        subsets[1, 20:] = False
        both, half = DECODERS[name].fit_each(x, targets, 2, subsets, pool, np.random.default_rng(0))
        alone = DECODERS[name].fit(x[:20], targets[:20], 2, pool, np.random.default_rng(0))
        assert (both.logits(x).argmax(axis=1) == targets).mean() > 0.95
        assert (half.logits(x).argmax(axis=1) == alone.logits(x).argmax(axis=1)).mean() > 0.95
        assert np.corrcoef(half.logits(x).ravel(), alone.logits(x).ravel())[0, 1] > 0.95

    def test_labels_outside_a_subset_are_never_seen(self, name: str) -> None:
        x, targets = separable(40)
        subsets = np.ones((2, 40), dtype=np.bool_)
        subsets[1, 20:] = False
        others = targets.copy()
        others[20:] = 1 - others[20:]
        _, half = DECODERS[name].fit_each(
            x, targets, 2, subsets, PoolStatistics.of(x), np.random.default_rng(0)
        )
        _, same = DECODERS[name].fit_each(
            x, others, 2, subsets, PoolStatistics.of(x), np.random.default_rng(0)
        )
        np.testing.assert_allclose(half.logits(x), same.logits(x), rtol=1e-3, atol=1e-3)

    def test_a_class_never_seen_gets_finite_logits(self, name: str) -> None:
        x, targets = separable(20)
        decoder = DECODERS[name].fit(x, targets, 5, PoolStatistics.of(x), np.random.default_rng(0))
        logits = decoder.logits(x)
        assert logits.shape == (20, 5) and np.isfinite(logits).all()
        assert set(logits.argmax(axis=1)) <= {0, 1}

    def test_same_seed_same_decoder(self, name: str) -> None:
        x, targets = separable(20)
        first, second = (
            DECODERS[name].fit(x, targets, 2, PoolStatistics.of(x), np.random.default_rng(0)).logits(x)
            for _ in range(2)
        )
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)

    def test_arrays_bring_it_back(self, name: str) -> None:
        x, targets = separable(20)
        decoder = DECODERS[name].fit(x, targets, 2, PoolStatistics.of(x), np.random.default_rng(0))
        again = DECODERS[name].from_arrays(decoder.arrays())
        np.testing.assert_allclose(again.logits(x), decoder.logits(x), rtol=1e-5)

    def test_no_worse_than_logistic_regression_on_the_same_features(self, name: str) -> None:
        ours, theirs = [], []
        test_x, test_targets = separable(600, seed=99)
        pool = PoolStatistics.of(test_x)
        for seed in range(5):
            x, targets = separable(20, seed)
            decoder = DECODERS[name].fit(x, targets, 2, pool, np.random.default_rng(seed))
            ours.append((decoder.logits(test_x).argmax(axis=1) == test_targets).mean())
            peer = LogisticRegression().fit(normalise(x, pool), targets)
            theirs.append(peer.score(normalise(test_x, pool), test_targets))
        assert np.mean(ours) >= np.mean(theirs) - 0.01


def test_normalised_embeddings_are_centred_on_the_pool() -> None:
    x = np.random.default_rng(0).gamma(1.0, 1.0, (500, 16)).astype(np.float32)
    z = normalise(x, PoolStatistics.of(x))
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-4)
    assert np.sqrt(np.square(z).sum(axis=1).mean()) == pytest.approx(RADIUS, rel=1e-4)


def test_an_all_zero_embedding_is_no_division_by_zero() -> None:
    x = np.zeros((3, 8), dtype=np.float32)
    assert np.isfinite(normalise(x, PoolStatistics.of(x))).all()


def test_neighbours_vote_by_nearness_by_hand() -> None:
    """Three labelled directions at 0, 90 and 180 degrees; asked at 10: the first alone is near."""
    angles = np.radians([0, 90, 180])
    units = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    decoder = KNN(units, np.array([0, 1, 1]), 3, PoolStatistics(np.zeros(2, np.float32), 1.0))
    assert neighbours_for(3) == 2
    asked = np.array([[np.cos(np.radians(10)), np.sin(np.radians(10))]], dtype=np.float32)
    votes = decoder._votes(asked)
    second = np.exp((np.sin(np.radians(10)) - np.cos(np.radians(10))) * SHARPNESS)
    np.testing.assert_allclose(votes, [[PRIOR + 1, PRIOR + second, PRIOR]], rtol=1e-4)


def test_more_labels_more_neighbours() -> None:
    assert [neighbours_for(n) for n in (0, 1, 2, 10, 150, 10_000)] == [0, 1, 1, 3, 12, 15]


def test_arrays_that_may_not_be_written_to_are_read_all_the_same() -> None:
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    pool = PoolStatistics.of(x)
    rng = np.random.default_rng(0)
    fitted = MLP.fit(x, np.arange(20) % 2, 2, pool, rng)
    arrays = {name: np.array(values) for name, values in fitted.arrays().items()}
    for values in (*arrays.values(), x):
        values.flags.writeable = False
    read = MLP.from_arrays(arrays)
    np.testing.assert_array_equal(read.logits(x), fitted.logits(x))
    np.testing.assert_array_equal(read.logits(x[::-2]), fitted.logits(np.ascontiguousarray(x[::-2])))
    assert read.logits(x[:0]).shape == (0, 2)


def test_projecting_is_normalising_and_multiplying() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 3, (50, 24)).astype(np.float32)
    x[0] = 0
    pool, weights = PoolStatistics.of(x), rng.normal(size=(24, 5)).astype(np.float32)
    np.testing.assert_allclose(Projection(pool, weights)(x), normalise(x, pool) @ weights, atol=1e-4)
