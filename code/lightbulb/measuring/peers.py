"""scikit-activeml's strategies behind our interface, to be measured beside ours in the same runs.

It is no dependency: `pip install scikit-activeml` brings it. Its strategies see what ours see: the same
points, and the same classifier's probabilities.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from lightbulb.config import did_you_mean
from lightbulb.errors import InputError
from lightbulb.querying import Pool, QueryStrategy
from lightbulb.records import Ints
from lightbulb.services.plugins import STRATEGIES

PREFIX = "skactiveml:"
PEERS = ("badge", "coreset", "entropy", "margin", "probcover", "typiclust")
FIRST = 8  # labels before which those that need a classifier ask at random, as they are meant to be begun


def check_strategy(name: str) -> None:
    """Raises: InputError for a name that neither we nor the peers know, or a peer that is not installed."""
    known = [*STRATEGIES, *(f"{PREFIX}{peer}" for peer in PEERS)]
    if name not in known:
        raise InputError(f"--strategy: unknown name {name!r}{did_you_mean(name, known)}")
    if name.startswith(PREFIX) and importlib.util.find_spec("skactiveml") is None:
        raise InputError(f"--strategy {name} needs scikit-activeml: pip install scikit-activeml")


def peer_strategy(name: str) -> QueryStrategy | None:
    """The strategy behind skactiveml:NAME; None for one of ours."""
    return Peer(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None


class Peer(QueryStrategy):
    needs: ClassVar[frozenset[str]] = frozenset({"points"})

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._uses_classifier = peer in ("badge", "entropy", "margin")

    def query(self, pool: Pool, count: int, rng: np.random.Generator) -> Ints:
        if self._uses_classifier and (pool.probs is None or len(pool.known) < FIRST):
            return rng.permutation(len(pool))[:count].astype(np.int64)
        assert pool.points is not None
        points = pool.points(np.arange(len(pool)))
        x = np.concatenate([points, pool.known.reshape(-1, points.shape[1])]).astype(np.float64)
        y = np.concatenate([np.full(len(points), np.nan), pool.known_labels.astype(np.float64)])
        y[y < 0] = 0  # being asked: known to be taken, and no more
        seed = int(rng.integers(2**31))
        chosen = self._ask(x, y, pool, count, seed)
        return np.asarray(chosen, dtype=np.int64)

    def _ask(self, x: Any, y: Any, pool: Pool, count: int, seed: int) -> Any:
        from skactiveml import pool as peers

        if self._uses_classifier:
            classifier = given_probabilities(pool)
            if self._peer == "badge":
                strategy = peers.Badge(random_state=seed)
                return strategy.query(x, y, clf=classifier, fit_clf=False, batch_size=count)
            method = {"entropy": "entropy", "margin": "margin_sampling"}[self._peer]
            strategy = peers.UncertaintySampling(method=method, random_state=seed)
            return strategy.query(x, y, clf=classifier, fit_clf=False, batch_size=count)
        make: Callable[..., Any] = {
            "coreset": peers.CoreSet,
            "probcover": peers.ProbCover,
            "typiclust": peers.TypiClust,
        }[self._peer]
        return make(random_state=seed).query(x, y, batch_size=count)


def given_probabilities(pool: Pool) -> Any:
    """A scikit-activeml classifier that gives the pool our own classifier's probabilities."""
    from skactiveml.base import SkactivemlClassifier

    assert pool.probs is not None
    probs = np.nan_to_num(pool.probs.astype(np.float64), nan=1 / pool.probs.shape[1])
    probs /= probs.sum(axis=1, keepdims=True)

    class Given(SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            return probs

    return Given(classes=list(range(probs.shape[1])))
