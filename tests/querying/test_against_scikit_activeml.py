"""scikit-activeml as the oracle: what can be compared one to one is the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lightbulb.querying import Pool
from lightbulb.querying.coreset import Coreset
from lightbulb.querying.entropy import Entropy
from lightbulb.querying.least_confidence import LeastConfidence
from lightbulb.querying.margin import Margin

skactiveml_pool = pytest.importorskip("skactiveml.pool", reason="scikit-activeml is not installed")


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("ours", "method", "offset"),
    [(Entropy, "entropy", 0.0), (LeastConfidence, "least_confident", 0.0), (Margin, "margin_sampling", -1.0)],
)
def test_uncertainties_are_the_same(ours: type, method: str, offset: float) -> None:
    probs = rng_of(0).dirichlet(np.ones(4), 50)
    theirs = skactiveml_pool.uncertainty_scores(probs, method=method)
    found = ours().scores(Pool(np.arange(50), probs.astype(np.float32)), rng_of(0))
    np.testing.assert_allclose(found, theirs + offset, atol=1e-5)


def test_coreset_picks_the_same_items() -> None:
    points = rng_of(1).normal(size=(60, 5)).astype(np.float32)
    known, unlabelled = points[:5], points[5:]
    y = np.concatenate([np.zeros(5), np.full(55, np.nan)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = skactiveml_pool.CoreSet(random_state=0).query(points, y, batch_size=8)
    pool = Pool(np.arange(55), points=unlabelled.__getitem__, known=known, known_labels=np.zeros(5, np.int64))
    assert Coreset().query(pool, 8, rng_of(0)).tolist() == (np.asarray(theirs) - 5).tolist()
