"""A multilayer perceptron with a linear path around its one hidden layer.

logits = x W0 + b0 + relu(x W1 + b1) W2, with W0 and W2 starting at zero: it begins as the uniform
predictor and bends away from a linear one only as far as the labels ask. Several decoders (folds)
are fitted at once, their layers side by side in one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import PoolStatistics, normalise
from lightbulb.records import Bools, Float32s, Ints
from lightbulb.torch_setup import torch, torch_threads

HIDDEN = 64
STEPS = 60
LEARNING_RATE = 1e-2
WEIGHT_PENALTY = 0.05  # of the squared weights, shared out over the examples
BATCH = 512  # examples per step; with fewer labels every step sees them all
FEW = 256  # up to this many examples a second thread gains nothing, and waits for its turn on a busy machine

Parameters = dict[str, torch.Tensor]


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
        examples = Examples(
            torch.from_numpy(normalise(embeddings, pool)),
            torch.from_numpy(np.asarray(targets, dtype=np.int64)),
            torch.from_numpy(subsets.T.astype(np.float32)),
        )
        parameters = initial_parameters(embeddings.shape[1], n_classes, len(subsets), rng)
        optimiser = torch.optim.Adam(list(parameters.values()), lr=LEARNING_RATE, foreach=True)
        with torch_threads(1 if len(targets) <= FEW else None):
            for step in range(STEPS):
                for group in optimiser.param_groups:
                    group["lr"] = LEARNING_RATE * (1 - step / STEPS)
                train_step(parameters, optimiser, examples, rng)
        return [cls(take_decoder(parameters, index), pool) for index in range(len(subsets))]

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
    """x: (n, dim). targets: (n,). weights: (n, n_decoders), 1 where a decoder may see the example."""

    x: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


def initial_parameters(dim: int, n_classes: int, n_decoders: int, rng: np.random.Generator) -> Parameters:
    """Every decoder starts from the same weights, so that folds differ by their data alone."""
    w1 = torch.from_numpy(rng.normal(0, dim**-0.5, (dim, 1, HIDDEN)).astype(np.float32))
    parameters = {
        "w0": torch.zeros(dim, n_decoders, n_classes),
        "b0": torch.zeros(n_decoders, n_classes),
        "w1": w1.repeat(1, n_decoders, 1),
        "b1": torch.zeros(n_decoders, HIDDEN),
        "w2": torch.zeros(n_decoders, HIDDEN, n_classes),
    }
    return {key: value.requires_grad_() for key, value in parameters.items()}


def train_step(
    parameters: Parameters, optimiser: torch.optim.Optimizer, examples: Examples, rng: np.random.Generator
) -> None:
    x, targets, weights = examples.x, examples.targets, examples.weights
    if len(x) > BATCH:
        rows = torch.from_numpy(rng.choice(len(x), BATCH, replace=False))
        x, targets, weights = x[rows], targets[rows], weights[rows]
    log_probs = forward(parameters, x).log_softmax(dim=2)
    loss_each = -log_probs[torch.arange(len(x)), :, targets]  # (n, n_decoders)
    seen = weights.sum(dim=0).clamp(min=1)
    seen_in_all = examples.weights.sum(dim=0).clamp(min=1)
    fit = ((loss_each * weights).sum(dim=0) / seen).sum()
    squares = (
        parameters["w0"].square().sum(dim=(0, 2))
        + 0.5 * parameters["w1"].square().sum(dim=(0, 2))
        + 0.5 * parameters["w2"].square().sum(dim=(1, 2))
    )
    loss = fit + (WEIGHT_PENALTY * squares / seen_in_all).sum()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def forward(parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
    """(n, dim) → logits of every decoder, (n, n_decoders, n_classes)."""
    _, n_decoders, n_classes = parameters["w0"].shape
    linear = (x @ parameters["w0"].flatten(1)).view(len(x), n_decoders, n_classes) + parameters["b0"]
    hidden = (x @ parameters["w1"].flatten(1)).view(len(x), n_decoders, HIDDEN) + parameters["b1"]
    return linear + torch.einsum("ndh,dhc->ndc", hidden.relu(), parameters["w2"])


def take_decoder(parameters: Parameters, index: int) -> dict[str, np.ndarray]:
    w = {key: value.detach().numpy() for key, value in parameters.items()}
    return {
        "w0": w["w0"][:, index].copy(),
        "b0": w["b0"][index].copy(),
        "w1": w["w1"][:, index].copy(),
        "b1": w["b1"][index].copy(),
        "w2": w["w2"][index].copy(),
    }
