"""A multilayer perceptron with a linear path around its one hidden layer.

logits = x W0 + b0 + relu(x W1 + b1) W2. The hidden layer is drawn at random and stays as it is (Rahimi and
Recht 2008, "Weighted Sums of Random Kitchen Sinks"): what is fitted is convex. The fit starts from a kind of
discriminant analysis, since its steps are as long in all directions in which the labelled examples vary,
and stops early: what many more steps would add is learnt by heart.

Few labels, or lopsided ones, shape the rest. The examples of a class weigh together as the root of their
number, so that a rare class is heard. The bias is penalised: it learns the classes' shares of the pool from
their shares of the labels, and with ten of them, or with labels that somebody chose, those mislead. Without
it normalised embeddings, centred on the pool, still fall on the right side if the classes are of one size.

Several decoders (folds) are fitted at once, their weights side by side in one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import RADIUS, PoolStatistics, Projection, normalise, projected, tensor_of
from lightbulb.records import Bools, Float32s, Ints
from lightbulb.torch_setup import scripted, torch, torch_threads

HIDDEN = 64
HIDDEN_SCALE = 0.3  # of a hidden unit's output beside a coordinate of the embedding
MEAN_OUTPUT = (2 * np.pi) ** -0.5  # of relu at a standard normal input
WEIGHT_PENALTY = 1.0  # of half the squared weights, beside the sum of the losses (scikit-learn's 1 / C)
BIAS_SCALE = 2.0  # a bias is the weight of an input of this size, where the labels resemble the pool
CLASS_POWER = 0.5  # 0: every example weighs the same. 1: every class does
STEPS, MOST_STEPS = 40, 400
EPOCHS = 2  # of as many labels as take more than STEPS steps
MOMENTUM = 0.8
BATCH = 512  # examples per step; with fewer labels every step sees them all
FEW = 1024  # up to this many examples a second thread gains little, and waits for its turn on a busy machine


class MLP(Decoder):
    name: ClassVar[str] = "mlp"

    def __init__(self, parameters: Mapping[str, np.ndarray], pool: PoolStatistics) -> None:
        self._parameters = {key: np.asarray(value, dtype=np.float32) for key, value in parameters.items()}
        self._pool = pool
        # once: a single image would wait for that longer than for the rest
        w = self._parameters
        first = Projection(pool, np.hstack([w["w0"], w["w1"]]))
        last = [tensor_of(w[name]) for name in ("b0", "b1", "w2")]
        self._prepared = (first.weights, first.centre, first.scale, *last)

    @classmethod
    def fit_each(
        cls,
        embeddings: Float32s,
        targets: Ints,
        n_classes: int,
        subsets: Bools,
        pool: PoolStatistics,
        rng: np.random.Generator,
    ) -> list[Self]:
        x = normalise(embeddings, pool)
        w1 = rng.normal(0, 1 / RADIUS, (x.shape[1], HIDDEN)).astype(np.float32)
        examples = Examples(
            torch.from_numpy(x),
            torch.from_numpy(hidden_features(x, w1)),
            torch.from_numpy(np.asarray(targets, dtype=np.int64)),
            torch.from_numpy(subsets.T.astype(np.float32)),
        )
        with torch_threads(1 if len(targets) <= FEW else None):
            weights, biases = fit_linear(examples, n_classes, rng)
        return [
            cls(take_decoder(weights[:, index].numpy(), biases[index].numpy(), w1), pool)
            for index in range(len(subsets))
        ]

    def logits(self, embeddings: Float32s) -> Float32s:
        return scripted(_logits)(tensor_of(embeddings), *self._prepared).numpy()

    def arrays(self) -> Mapping[str, np.ndarray]:
        pool = {"pool_mean": self._pool.mean, "pool_scale": np.array([self._pool.scale])}
        return {**self._parameters, **pool}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        pool = PoolStatistics(arrays["pool_mean"].astype(np.float32), float(arrays["pool_scale"][0]))
        return cls({key: arrays[key] for key in ("w0", "b0", "w1", "b1", "w2")}, pool)


def _logits(
    embeddings: torch.Tensor, weights: torch.Tensor, centre: torch.Tensor, scale: float,
    b0: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """weights, centre, scale: of the `Projection` on w0 beside w1."""
    both = projected(embeddings, weights, centre, scale)
    hidden = torch.relu(both[:, len(b0) :] + b1)
    return torch.addmm(both[:, : len(b0)] + b0, hidden, w2)


@dataclass(frozen=True)
class Examples:
    """x: (n, dim). hidden: (n, HIDDEN). targets: (n,). seen: (n, n_decoders), 1 where a decoder sees it."""

    x: torch.Tensor
    hidden: torch.Tensor
    targets: torch.Tensor
    seen: torch.Tensor


def hidden_features(x: Float32s, w1: Float32s) -> Float32s:
    """(n, dim) → (n, HIDDEN), centred: a mean other than 0 would be a bias that goes unpenalised."""
    return (HIDDEN_SCALE * (np.maximum(x @ w1, 0) - MEAN_OUTPUT)).astype(np.float32)


def fit_linear(
    examples: Examples, n_classes: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (dim + HIDDEN, n_decoders, n_classes) on x and hidden, biases (n_decoders, n_classes)."""
    n, n_decoders = examples.seen.shape
    weights = example_weights(examples, n_classes)
    z, back, penalty = whiten(torch.hstack([examples.x, examples.hidden]))
    bias_penalty = WEIGHT_PENALTY / bias_scale(examples).square()
    slowest = 1.5 * weights.amax(dim=0).clamp(min=1)  # bounds the curvature, bias and weights together
    descent = Descent(
        torch.hstack([z, torch.ones(n, 1)]),
        torch.nn.functional.one_hot(examples.targets, n_classes).float(),
        weights,
        torch.vstack([penalty[:, None].expand(-1, n_decoders), bias_penalty]),
        torch.vstack([torch.ones(len(penalty), n_decoders), 1 / (0.5 * n + bias_penalty)]) / slowest,
    )
    found = descent.run(rng)
    return torch.einsum("fr,rdc->fdc", back, found[:-1]), found[-1]


def whiten(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Coordinates in which the loss curves alike in all directions, where every class is as probable.

    features: (n, dim). Returns them in these coordinates (n, rank), the way back for weights (dim, rank), and
    the penalty of half each squared weight there (rank,).
    """
    n, dim = features.shape
    wide = n <= dim
    squares, axes = torch.linalg.eigh(features @ features.T if wide else features.T @ features)
    squares = squares.clamp(min=1e-4)
    if wide:
        axes = features.T @ (axes / squares.sqrt())
    curvature = 0.5 * squares + WEIGHT_PENALTY
    back = axes / curvature.sqrt()
    return features @ back, back, WEIGHT_PENALTY / curvature


def example_weights(examples: Examples, n_classes: int) -> torch.Tensor:
    """(n, n_decoders), 0 where not seen; a decoder's sum is the number of examples that it sees."""
    counts = torch.zeros(n_classes, examples.seen.shape[1]).index_add_(0, examples.targets, examples.seen)
    weights = examples.seen * counts.clamp(min=1)[examples.targets] ** -CLASS_POWER
    return weights * (examples.seen.sum(dim=0) / weights.sum(dim=0).clamp(min=1e-9))


def bias_scale(examples: Examples) -> torch.Tensor:
    """(n_decoders,): BIAS_SCALE where the labels might be a random sample of the pool, less where not.

    The pool's mean is 0, so that of n random items has a squared length of RADIUS² / n on average. Labels
    whose mean is further off were chosen, and the classes' shares among them say little about the pool.
    """
    seen = examples.seen.sum(dim=0).clamp(min=1)
    surprise = (examples.seen.T @ examples.x).square().sum(dim=1) / (seen * RADIUS**2)
    return BIAS_SCALE / surprise.clamp(min=1).square()


@dataclass(frozen=True)
class Descent:
    """Accelerated gradient descent (Nesterov 1983) on the softmax loss of several decoders.

    inputs: (n, rank). answers: one-hot (n, n_classes). weights: of the examples, (n, n_decoders).
    penalties, rates: of each input's weights, (rank, n_decoders).
    """

    inputs: torch.Tensor
    answers: torch.Tensor
    weights: torch.Tensor
    penalties: torch.Tensor
    rates: torch.Tensor

    def run(self, rng: np.random.Generator) -> torch.Tensor:
        """(rank, n_decoders, n_classes)"""
        w = torch.zeros(*self.penalties.shape, self.answers.shape[1])
        speed = torch.zeros_like(w)
        n = len(self.inputs)
        steps = min(max(STEPS, EPOCHS * n // BATCH), MOST_STEPS)
        for step in range(steps):
            if n > BATCH:
                rows = torch.from_numpy(rng.choice(n, BATCH, replace=False))
                change = self.batch(rows).step(w) * (1 - step / steps)
            else:
                change = self.step(w)
            speed = MOMENTUM * speed + change
            w = w - change - MOMENTUM * speed
        return w

    def batch(self, rows: torch.Tensor) -> Descent:
        weights = self.weights[rows] * (len(self.inputs) / len(rows))
        return replace(self, inputs=self.inputs[rows], answers=self.answers[rows], weights=weights)

    def step(self, w: torch.Tensor) -> torch.Tensor:
        logits = (self.inputs @ w.flatten(1)).view(len(self.inputs), *w.shape[1:])
        error = (logits.softmax(dim=2) - self.answers[:, None]) * self.weights[:, :, None]
        slope = (self.inputs.T @ error.flatten(1)).view_as(w) + self.penalties[:, :, None] * w
        return self.rates[:, :, None] * slope


def take_decoder(weights: Float32s, bias: Float32s, w1: Float32s) -> dict[str, np.ndarray]:
    """weights: (dim + HIDDEN, n_classes) on x and the hidden features. bias: (n_classes,)."""
    dim = len(w1)
    w2 = weights[dim:] * HIDDEN_SCALE
    return {
        "w0": weights[:dim].copy(),
        "b0": bias - MEAN_OUTPUT * w2.sum(axis=0),
        "w1": w1,
        "b1": np.zeros(HIDDEN, dtype=np.float32),
        "w2": w2,
    }
