"""scikit-activeml as the oracle: what can be compared one to one is the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lightbulb.measuring.peers import given_probabilities
from lightbulb.querying import Pool, probcover
from lightbulb.querying.badge import Badge, gradient_distances, residuals_of
from lightbulb.querying.bald import Bald
from lightbulb.querying.coreset import Coreset
from lightbulb.querying.entropy import Entropy
from lightbulb.querying.least_confidence import LeastConfidence
from lightbulb.querying.margin import Margin
from lightbulb.querying.probcover import ProbCover

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


def test_bald_is_their_mutual_information() -> None:
    votes = rng_of(2).dirichlet(np.ones(3), (5, 40)).astype(np.float32)
    theirs = skactiveml_pool.batch_bald(votes.astype(np.float64), batch_size=1, random_state=0)[0]
    found = Bald().scores(Pool(np.arange(40), votes.mean(axis=0), votes=votes), rng_of(0))
    np.testing.assert_allclose(found, theirs, atol=1e-4)


def test_badge_begins_with_the_same_item_and_draws_the_next_with_the_same_probabilities() -> None:
    rng = rng_of(3)
    points = rng.normal(size=(40, 6)).astype(np.float32)
    probs = rng.dirichlet(np.ones(4), 40).astype(np.float32)
    pool = Pool(np.arange(40), probs, points.__getitem__)
    theirs, drawn_with = skactiveml_pool.Badge(random_state=0).query(
        points, np.full(40, np.nan), clf=given_probabilities(pool), fit_clf=False, batch_size=2,
        return_utilities=True,
    )  # fmt: skip
    first = int(theirs[0])
    assert Badge().query(pool, 1, rng_of(0)).tolist() == [first]
    residuals = residuals_of(probs)
    norms = np.square(residuals).sum(axis=1) * np.square(points).sum(axis=1)
    # Theirs starts the second draw from the squared norms, as if zero were already picked.
    distances = np.minimum(norms, gradient_distances(residuals, points, norms, first))
    others = np.arange(40) != first
    expected = distances[others] / distances[others].sum()
    np.testing.assert_allclose(drawn_with[1][others], expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The maximum purity")  # the radius is given
def test_probcover_begins_with_one_of_their_widest_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    points = rng_of(4).normal(size=(80, 2)).astype(np.float32)
    known, unlabelled = points[:5], points[5:]
    y = np.concatenate([np.zeros(5), np.full(75, np.nan)])
    _, gains = skactiveml_pool.ProbCover(deltas=[0.5], n_classes=2, random_state=0).query(
        points, y, batch_size=1, return_utilities=True
    )
    monkeypatch.setattr(probcover, "pure_radius", lambda *_: 0.25)
    pool = Pool(np.arange(75), points=unlabelled.__getitem__, known=known, known_labels=np.zeros(5, np.int64))
    first = int(ProbCover().query(pool, 1, rng_of(0))[0])
    assert gains[0][first + 5] == np.nanmax(gains[0]) > 1
