"""A multilayer perceptron with a linear path around its one hidden layer.

logits = x W0 + b0 + relu(x W1 + b1) W2, where the hidden layer is drawn at random and stays as it is
(Rahimi and Recht 2008, "Weighted Sums of Random Kitchen Sinks"), so that the fit is convex. Four things
matter with few labels:

- Each step is taken in coordinates in which the labelled examples vary alike in all directions, and there
  are few steps: nearly a converged fit where classes differ much, nearly a discriminant analysis elsewhere.
- The examples of a class together weigh as the root of their number: rare classes are not drowned out.
- The bias is penalised. It is there for the classes' shares of the pool, and learns those well only from
  labels that resemble the pool; normalised embeddings are centred, and that already does much of its work.
- Labels that do not resemble the pool, because a query strategy or a person chose them, say little about
  its classes' shares: the further their mean is from the pool's, the dearer is a bias.

Several decoders (folds) are fitted at once, their weights side by side in one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import RADIUS, PoolStatistics, normalise
from lightbulb.records import Bools, Float32s, Ints
from lightbulb.torch_setup import torch, torch_threads

HIDDEN = 64
HIDDEN_SCALE = 0.3  # of a hidden unit's output beside an embedding's coordinates
STEPS = 60
MOMENTUM = 0.9
WEIGHT_PENALTY = 3.0  # times half the squared weights, beside the sum of the examples' losses
BIAS_SCALE = 2.0  # of the bias' input, where labels resemble the pool; 1 would penalise it as any weight
CLASS_POWER = 0.5  # 0: every example weighs the same; 1: every class does
FEW = 256  # up to this many examples a second thread gains nothing, and waits for its turn on a busy machine

MEAN_OUTPUT = (2 * np.pi) ** -0.5  # of relu at a standard normal input


class MLP(Decoder):
    name: ClassVar[str] = "mlp"

    def __init__(self, parameters: Mapping[str, np.ndarray], pool: PoolStatistics) -> None:
        self._parameters = {key: np.asarray(value, dtype=np.float32) for key, value in parameters.items()}
        self._pool = pool

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
        w1 = rng.normal(0, 1 / RADIUS, (embeddings.shape[1], HIDDEN)).astype(np.float32)
        x = normalise(embeddings, pool)
        with torch_threads(1 if len(targets) <= FEW else None):
            features = torch.from_numpy(np.hstack([x, hidden_features(x, w1)]))
            examples = Examples(
                features,
                torch.from_numpy(np.asarray(targets, dtype=np.int64)),
                torch.from_numpy(subsets.T.astype(np.float32)),
            )
            weights, biases = fit_linear(examples, n_classes)
        return [
            cls(take_decoder(weights[:, index].numpy(), biases[index].numpy(), w1), pool)
            for index in range(len(subsets))
        ]

    def logits(self, embeddings: Float32s) -> Float32s:
        x = normalise(embeddings, self._pool)
        w = self._parameters
        hidden = np.maximum(x @ w["w1"] + w["b1"], 0)
        return (x @ w["w0"] + w["b0"] + hidden @ w["w2"]).astype(np.float32)

    def arrays(self) -> Mapping[str, np.ndarray]:
        pool = {"pool_mean": self._pool.mean, "pool_scale": np.array([self._pool.scale])}
        return {**self._parameters, **pool}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        pool = PoolStatistics(arrays["pool_mean"].astype(np.float32), float(arrays["pool_scale"][0]))
        return cls({key: arrays[key] for key in ("w0", "b0", "w1", "b1", "w2")}, pool)


@dataclass(frozen=True)
class Examples:
    """features: (n, dim + HIDDEN). targets: (n,). seen: (n, n_decoders), 1 where a decoder may see it."""

    features: torch.Tensor
    targets: torch.Tensor
    seen: torch.Tensor


def hidden_features(x: Float32s, w1: Float32s) -> Float32s:
    """(n, dim) → (n, HIDDEN), scaled, and centred as far as normalised embeddings allow.

    A mean other than 0 would be a second bias.
    """
    return (HIDDEN_SCALE * (np.maximum(x @ w1, 0) - MEAN_OUTPUT)).astype(np.float32)


def fit_linear(examples: Examples, n_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (features, n_decoders, n_classes) and biases (n_decoders, n_classes), by accelerated gradient
    descent (Nesterov 1983)."""
    n, n_decoders = examples.seen.shape
    z, back, penalty = whiten(examples.features)
    weights = example_weights(examples, n_classes)
    bias_step = 1 / (0.5 * n + WEIGHT_PENALTY / bias_scale(examples).square())
    bias_penalty = WEIGHT_PENALTY / bias_scale(examples).square() * bias_step
    rate = (1 / (1.5 * weights.amax(dim=0).clamp(min=1)))[:, None]
    answers = torch.nn.functional.one_hot(examples.targets, n_classes).float()[:, None]
    w, b = torch.zeros(z.shape[1], n_decoders, n_classes), torch.zeros(n_decoders, n_classes)
    w_speed, b_speed = torch.zeros_like(w), torch.zeros_like(b)
    for _ in range(STEPS):
        logits = (z @ w.flatten(1)).view(n, n_decoders, n_classes) + b
        error = (logits.softmax(dim=2) - answers) * weights[:, :, None]
        w_slope = rate * ((z.T @ error.flatten(1)).view_as(w) + penalty[:, None, None] * w)
        b_slope = rate * (bias_step[:, None] * error.sum(dim=0) + bias_penalty[:, None] * b)
        w_speed = MOMENTUM * w_speed + w_slope
        b_speed = MOMENTUM * b_speed + b_slope
        w = w - w_slope - MOMENTUM * w_speed
        b = b - b_slope - MOMENTUM * b_speed
    return (back @ w.flatten(1)).view(-1, n_decoders, n_classes), b


def whiten(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Coordinates in which no direction is steeper than another, for uniform class probabilities.

    features: (n, dim). Returns the features there (n, rank), the way back (dim, rank) for the weights, and
    each weight's penalty there (rank,).
    """
    n, dim = features.shape
    wide = n <= dim
    squares, axes = torch.linalg.eigh(features @ features.T if wide else features.T @ features)
    squares = squares.clamp(min=1e-4)
    if wide:
        axes = features.T @ (axes / squares.sqrt())
    step = 1 / (0.5 * squares + WEIGHT_PENALTY)
    back = axes * step.sqrt()
    return features @ back, back, WEIGHT_PENALTY * step


def example_weights(examples: Examples, n_classes: int) -> torch.Tensor:
    """(n, n_decoders), 0 where not seen; a decoder's sum is the number of examples that it sees."""
    counts = torch.zeros(n_classes, examples.seen.shape[1]).index_add_(0, examples.targets, examples.seen)
    weights = examples.seen * counts.clamp(min=1)[examples.targets] ** -CLASS_POWER
    return weights * examples.seen.sum(dim=0) / weights.sum(dim=0).clamp(min=1e-9)


def bias_scale(examples: Examples) -> torch.Tensor:
    """(n_decoders,): BIAS_SCALE where a decoder's examples look drawn at random from the pool, else less.

    The mean of n examples drawn at random has the squared length RADIUS²/n on average: the pool's is 0.
    """
    sums = examples.seen.T @ examples.features
    surprise = sums.square().sum(dim=1) / (examples.seen.sum(dim=0).clamp(min=1) * RADIUS**2)
    return BIAS_SCALE / surprise.clamp(min=1).square()


def take_decoder(weights: Float32s, bias: Float32s, w1: Float32s) -> dict[str, np.ndarray]:
    """weights: (dim + HIDDEN, n_classes) on the features. bias: (n_classes,)."""
    dim = len(w1)
    w2 = weights[dim:] * HIDDEN_SCALE
    return {
        "w0": weights[:dim].copy(),
        "b0": bias - MEAN_OUTPUT * w2.sum(axis=0),
        "w1": w1,
        "b1": np.zeros(HIDDEN, dtype=np.float32),
        "w2": w2,
    }
