"""Every decoder beside logistic regression, on the same randomly drawn labels and the same embeddings.

The peer is scikit-learn's logistic regression with an L2 penalty, at C = 1 and at the C that cross-validation
on the drawn labels prefers; on embeddings normalised as the decoders see them, and on raw ones standardised
column by column. Like the pool's mean, the columns' means and deviations need no labels.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from lightbulb.config import Config
from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import PoolStatistics, normalise
from lightbulb.errors import InputError
from lightbulb.measuring.simulate import in_parallel, read_truth
from lightbulb.records import Float32s, Float64s, Ints
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.services.plugins import DECODERS, encoder_named
from lightbulb.training.evaluate import stratified_folds

COUNTS = (10, 20, 40, 78, 150)  # labels to draw
COSTS = (1.0, 0.1, 10.0, 0.01, 100.0, 0.001)  # scikit-learn's C; the first of equally good ones is chosen
FOLDS = 5


@dataclass(frozen=True)
class EmbeddedItems:
    """targets: class indices int64 (n,). raw, normalised, standardised: float32 (n, dim), aligned."""

    targets: Ints
    n_classes: int
    pool: PoolStatistics
    raw: Float32s
    normalised: Float32s
    standardised: Float32s

    @classmethod
    def of(cls, embeddings: Float32s, targets: Ints, n_classes: int) -> EmbeddedItems:
        pool = PoolStatistics.of(embeddings)
        deviations = np.maximum(embeddings.std(axis=0), 1e-6)
        standardised = ((embeddings - embeddings.mean(axis=0)) / deviations).astype(np.float32)
        return cls(targets, n_classes, pool, embeddings, normalise(embeddings, pool), standardised)


Score = Callable[[Ints, Ints], float]  # (predicted, targets) → fraction
Contender = Callable[[EmbeddedItems, Ints, Score, np.random.Generator], Ints]
"""(items, drawn, score, rng) → the class it predicts for every item, int64 (n,), knowing those of `drawn`."""


def bench_and_report(
    config: Config,
    truth_path: Path,
    seeds: int,
    imbalance: float,
    *,
    counts: Sequence[int] = COUNTS,
    as_json: bool = False,
) -> dict[str, Any]:
    """Prints a table or one JSON object. Raises: InputError, ConfigError."""
    encoder = EncoderHandle(encoder_named, config)
    truth = read_truth(config, truth_path, encoder)
    items = EmbeddedItems.of(truth.embeddings.astype(np.float32), truth.targets, len(config.classes))
    result = {
        "bench": "decoders",
        "dataset": config.name,
        "encoder": encoder.name,
        "weights": encoder.get().weights_name,
        "items": len(items.targets),
        "seeds": seeds,
        "imbalance": imbalance,
        "metric": "accuracy" if imbalance == 1 else "balanced accuracy",
        "contenders": compare(items, counts, seeds, imbalance),
    }
    show(result, as_json)
    return result


def compare(
    items: EmbeddedItems, counts: Sequence[int], seeds: int, imbalance: float
) -> list[dict[str, Any]]:
    """For each contender its mean score and the deviation between seeds, at each count of labels.

    Raises: InputError if there are too few items, or only one class of them.
    """
    check_enough(items, counts)
    runs = [(items, count, seed, imbalance) for count in counts for seed in range(seeds)]
    scores = in_parallel(run_draw, runs, jobs=1)
    by_count = {count: scores[at * seeds : (at + 1) * seeds] for at, count in enumerate(counts)}
    return [
        {
            "name": name,
            "curve": [summarise(count, [run[name] for run in runs]) for count, runs in by_count.items()],
        }
        for name in contenders()
    ]


def check_enough(items: EmbeddedItems, counts: Sequence[int]) -> None:
    if max(counts) >= len(items.targets):
        raise InputError(
            f"{max(counts)} labels are to be drawn, but there are only {len(items.targets)} items"
        )
    if len(np.unique(items.targets)) < 2:
        raise InputError("all items are of one class; a comparison needs two or more")


def summarise(count: int, scores: Sequence[float]) -> dict[str, Any]:
    return {"labels": count, "mean": round(float(np.mean(scores)), 4), "std": round(float(np.std(scores)), 4)}


def run_draw(items: EmbeddedItems, count: int, seed: int, imbalance: float) -> dict[str, float]:
    """The score of every contender on the items that were not drawn."""
    drawn = draw(items.targets, count, imbalance, np.random.default_rng([seed, count]))
    rest = np.setdiff1d(np.arange(len(items.targets)), drawn)
    score = accuracy if imbalance == 1 else balanced_accuracy
    found = {}
    for name, contender in contenders().items():
        predicted = contender(items, drawn, score, np.random.default_rng([seed, count]))
        found[name] = score(predicted[rest], items.targets[rest])
    return found


def draw(targets: Ints, count: int, imbalance: float, rng: np.random.Generator) -> Ints:
    """Indices of `count` items of two classes or more. targets: class indices (n,), not all the same.

    imbalance: how many times likelier one half of the classes is than the other; 1 draws as the items are.
    """
    chances = draw_chances(targets, imbalance, rng)
    while True:
        drawn = rng.choice(len(targets), count, replace=False, p=chances)
        if len(np.unique(targets[drawn])) > 1:
            return drawn.astype(np.int64)


def draw_chances(targets: Ints, imbalance: float, rng: np.random.Generator) -> Float64s:
    """Of each item, float64 (n,), summing to 1. Which classes are the rare ones is drawn too."""
    if imbalance == 1:
        return np.full(len(targets), 1 / len(targets))
    present, sizes = np.unique(targets, return_counts=True)
    shares = np.ones(len(present))
    shares[rng.permutation(len(present))[: len(present) // 2]] = 1 / imbalance
    chances = (shares / sizes)[np.searchsorted(present, targets)]
    return chances / chances.sum()


def accuracy(predicted: Ints, targets: Ints) -> float:
    return float((predicted == targets).mean())


def balanced_accuracy(predicted: Ints, targets: Ints) -> float:
    """Mean over the classes in `targets` of the share of their items that are predicted right."""
    return float(np.mean([(predicted[targets == one] == one).mean() for one in np.unique(targets)]))


def contenders() -> dict[str, Contender]:
    peers: dict[str, Contender] = {
        "logistic": functools.partial(predict_logistic, costs=COSTS[:1], standardised=False),
        "logistic-cv": functools.partial(predict_logistic, costs=COSTS, standardised=False),
        "logistic-raw": functools.partial(predict_logistic, costs=COSTS[:1], standardised=True),
        "logistic-raw-cv": functools.partial(predict_logistic, costs=COSTS, standardised=True),
    }
    return {
        **{name: functools.partial(predict_decoder, decoder=each) for name, each in DECODERS.items()},
        **peers,
    }


def predict_decoder(
    items: EmbeddedItems, drawn: Ints, _score: Score, rng: np.random.Generator, *, decoder: type[Decoder]
) -> Ints:
    fitted = decoder.fit(items.raw[drawn], items.targets[drawn], items.n_classes, items.pool, rng)
    return fitted.logits(items.raw).argmax(axis=1)


def predict_logistic(
    items: EmbeddedItems,
    drawn: Ints,
    score: Score,
    rng: np.random.Generator,
    *,
    costs: Sequence[float],
    standardised: bool,
) -> Ints:
    x = items.standardised if standardised else items.normalised
    known = items.targets[drawn]
    cost = choose_cost(x[drawn], known, costs, score, rng)
    return fit_logistic(x[drawn], known, cost, x)


def choose_cost(
    x: Float32s, targets: Ints, costs: Sequence[float], score: Score, rng: np.random.Generator
) -> float:
    """The C whose out-of-fold predictions score best. x: float32 (n, dim). targets: (n,)."""
    if len(costs) == 1:
        return costs[0]
    folds = stratified_folds(targets, FOLDS, rng)
    found = []
    for cost in costs:
        predicted = np.empty_like(targets)
        for fold in range(FOLDS):
            out = folds == fold
            predicted[out] = fit_logistic(x[~out], targets[~out], cost, x[out])
        found.append(score(predicted, targets))
    return costs[int(np.argmax(found))]


def fit_logistic(x: Float32s, targets: Ints, cost: float, asked: Float32s) -> Ints:
    """The classes it predicts for `asked`: float32 (n, dim) → int64 (n,)."""
    if len(np.unique(targets)) == 1:  # a fold may leave no more, and scikit-learn refuses that
        return np.full(len(asked), targets[0])
    model = LogisticRegression(C=cost, max_iter=1000).fit(x.astype(np.float64), targets)
    return np.asarray(model.predict(asked.astype(np.float64)), dtype=np.int64)


def show(result: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    contest = f"{result['encoder']} ({result['weights']}), {result['seeds']} draws"
    table = Table(title=f"{result['dataset']}: {contest}, {result['metric']} on the other items")
    table.add_column("")
    for point in result["contenders"][0]["curve"]:
        table.add_column(f"{point['labels']} labels", justify="right")
    for contender in result["contenders"]:
        points = (f"{point['mean']:.3f} ± {point['std']:.3f}" for point in contender["curve"])
        table.add_row(contender["name"], *points)
    Console().print(table)
