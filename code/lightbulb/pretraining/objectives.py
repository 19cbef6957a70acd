"""What a network is pretrained for. Each objective owns what is thrown away when the training ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from lightbulb.pretraining.network import CHANNELS
from lightbulb.torch_setup import torch

nn = torch.nn
functional = torch.nn.functional


@dataclass(frozen=True)
class Views:
    """images: normalised (n_views * n, 3, h, w), first views first. targets: int64 (n,), -1 if unknown."""

    images: torch.Tensor
    targets: torch.Tensor


class Objective(nn.Module, ABC):
    """views: of each picture, that one loss needs. mosaics: whether several pictures may share a view."""

    views: ClassVar[int] = 1
    mosaics: ClassVar[bool] = False

    @abstractmethod
    def loss(self, features: torch.Tensor, views: Views) -> torch.Tensor:
        """features: the network's (n_views * n, 512, h', w'). Returns a scalar."""


class Supervised(Objective):
    """The classes of a labelled folder; label smoothing as in Szegedy et al. 2016 (arXiv 1512.00567)."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * CHANNELS, n_classes))

    def loss(self, features: torch.Tensor, views: Views) -> torch.Tensor:
        return functional.cross_entropy(self.head(pooled(features)), views.targets, label_smoothing=0.1)


class VICReg(Objective):
    """Two views of a picture are to have the same code, and codes are to differ in every direction.

    Bardes, Ponce, LeCun 2022, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
    Learning" (arXiv 2105.04906), with its weights 25, 25, 1. Needs no labels and no large batch.
    """

    views: ClassVar[int] = 2
    WIDTH: ClassVar[int] = 1024
    INVARIANCE, VARIANCE, COVARIANCE = 25.0, 25.0, 1.0

    def __init__(self) -> None:
        super().__init__()
        width = self.WIDTH
        self.projector = nn.Sequential(
            nn.Linear(2 * CHANNELS, width),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
        )

    def loss(self, features: torch.Tensor, views: Views) -> torch.Tensor:
        first, second = self.projector(pooled(features)).float().chunk(2)
        spread = sum(functional.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean() for z in (first, second)) / 2
        tangled = covariance_penalty(first) + covariance_penalty(second)
        return (
            self.INVARIANCE * functional.mse_loss(first, second)
            + self.VARIANCE * spread
            + self.COVARIANCE * tangled
        )


class Distillation(Objective):
    """To give the features that a frozen teacher gives (Hinton, Vinyals, Dean 2015, arXiv 1503.02531).

    Location by location, as signed square roots (a few large values would else be all that counts), each
    channel in units of the teacher's root mean square; and as a decoder will see them: pooled, signed square
    root, unit length, centred. What the loss asks there is the direction alone.
    A teacher of other channels is met through a linear map, thrown away afterwards.
    """

    mosaics: ClassVar[bool] = True
    EMBEDDING: ClassVar[float] = 4.0  # weight of the pooled part
    KEEP: ClassVar[float] = 0.99  # of the running statistics, per step

    rms: torch.Tensor
    mean: torch.Tensor
    steps: torch.Tensor

    def __init__(self, teacher: torch.nn.Module, channels: int) -> None:
        super().__init__()
        self._teacher = [teacher.eval().requires_grad_(False)]  # in a list: none of its weights are ours
        self.adapter = nn.Identity() if channels == CHANNELS else nn.Conv2d(CHANNELS, channels, 1)
        self.register_buffer("rms", torch.ones(channels))
        self.register_buffer("mean", torch.zeros(2 * channels))
        self.register_buffer("steps", torch.zeros(()))

    def loss(self, features: torch.Tensor, views: Views) -> torch.Tensor:
        with torch.no_grad():
            wanted = self._teacher[0](views.images).float()
        found = self.adapter(features).float()
        if found.shape[2:] != wanted.shape[2:]:
            wanted = functional.adaptive_avg_pool2d(wanted, found.shape[2:])
        target = power_normalised(pooled(wanted))
        self._update(wanted, target)
        scale = self.rms[:, None, None]
        each = functional.mse_loss(signed_root(found) / scale, signed_root(wanted) / scale)
        cosine = functional.cosine_similarity(power_normalised(pooled(found)) - self.mean, target - self.mean)
        return each + self.EMBEDDING * (1 - cosine).mean()

    def _update(self, wanted: torch.Tensor, target: torch.Tensor) -> None:
        """Running statistics of the teacher; the first step sets them."""
        keep = torch.clamp(1 - 1 / (self.steps + 1), max=self.KEEP)
        squares = signed_root(wanted).square().mean(dim=(0, 2, 3))
        self.rms.copy_((keep * self.rms.square() + (1 - keep) * squares).sqrt().clamp(min=1e-3))
        self.mean.copy_(keep * self.mean + (1 - keep) * target.mean(dim=0))
        self.steps += 1


def pooled(features: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) → (n, 2c): the average beside the maximum, as the encoder serves them."""
    return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)


def power_normalised(embeddings: torch.Tensor) -> torch.Tensor:
    """As `decoders.normalise` does it, differentiable also at 0."""
    return functional.normalize(signed_root(embeddings), dim=1)


def signed_root(values: torch.Tensor) -> torch.Tensor:
    """The square root of the size, with the sign; its slope at 0 is 50 instead of endless."""
    return values.sign() * ((values.abs() + 1e-4).sqrt() - 1e-2)


def covariance_penalty(z: torch.Tensor) -> torch.Tensor:
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (len(z) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / z.shape[1]
