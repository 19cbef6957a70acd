"""Embeddings made comparable before a decoder sees them.

Signed square root, then unit length ("power normalisation", Perronnin et al. 2010, "Improving the
Fisher Kernel for Large-Scale Image Classification"), then centred on the pool: the mean needs no
labels, and without it a decoder with ten of them spends most of what they say on finding it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightbulb.records import Float32s
from lightbulb.torch_setup import scripted, torch

RADIUS = 10.0  # typical length of a normalised embedding


@dataclass(frozen=True)
class PoolStatistics:
    """mean: float32 (dim,) of the unit-length embeddings. scale: brings their typical length to RADIUS."""

    mean: Float32s
    scale: float

    @classmethod
    def of(cls, embeddings: Float32s) -> PoolStatistics:
        """From a sample of the pool, float32 (n, dim), n ≥ 1."""
        unit = _power_normalise(embeddings)
        mean = unit.mean(axis=0)
        typical = float(np.sqrt(np.square(unit - mean).sum(axis=1).mean()))
        return cls(mean.astype(np.float32), RADIUS / max(typical, 1e-6))


def normalise(embeddings: Float32s, pool: PoolStatistics) -> Float32s:
    """float32 (n, dim) → float32 (n, dim)."""
    return ((_power_normalise(embeddings) - pool.mean) * np.float32(pool.scale)).astype(np.float32)


class Projection:
    """normalise(embeddings, pool) @ weights, (n, dim) and (dim, k) → float32 (n, k).

    Scaled and centred after the product, where there is little left to scale: a million embeddings do not
    pass through memory four times more.
    """

    def __init__(self, pool: PoolStatistics, weights: Float32s) -> None:
        self.weights = tensor_of(weights)
        self.centre = tensor_of(pool.mean @ weights)
        self.scale = float(pool.scale)

    def __call__(self, embeddings: Float32s) -> Float32s:
        return scripted(projected)(tensor_of(embeddings), self.weights, self.centre, self.scale).numpy()


def projected(
    embeddings: torch.Tensor, weights: torch.Tensor, centre: torch.Tensor, scale: float
) -> torch.Tensor:
    """torch rather than NumPy, whose threads would go on spinning for a while after every product."""
    rooted = embeddings.abs().sqrt_().copysign_(embeddings)
    lengths = torch.linalg.vector_norm(rooted, dim=1, keepdim=True).clamp_min_(1e-12)
    return (rooted @ weights).div_(lengths).sub_(centre).mul_(scale)


def tensor_of(values: Float32s) -> torch.Tensor:
    """In the same memory; a copy of what is read-only or not contiguous, which torch would not take."""
    return torch.from_numpy(np.require(values, np.float32, ["C", "W"]))


def _power_normalise(embeddings: Float32s) -> Float32s:
    rooted = _rooted(embeddings)
    return (rooted / _lengths(rooted)).astype(np.float32)


def _rooted(embeddings: Float32s) -> Float32s:
    """The root of each number's size, with its sign."""
    rooted = np.abs(embeddings, dtype=np.float32)
    np.sqrt(rooted, out=rooted)
    return np.copysign(rooted, embeddings, out=rooted)


def _lengths(rooted: Float32s) -> Float32s:
    """float32 (n, 1), above 0."""
    return np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-12).astype(np.float32)
