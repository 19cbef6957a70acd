"""SqueezeNet 1.1: small and fast enough for a laptop's CPU (Iandola et al. 2016, arXiv 1602.07360).

The layers before its classifier, named as torchvision names them, so that the same weights fit; those as
`weights.py` resolves them. Built here because torchvision takes longer to import than all else that labelling
needs. The last feature map is pooled to one vector, average beside maximum: 2 x 512 values.
"""

from __future__ import annotations

from typing import ClassVar

from lightbulb.config import Config
from lightbulb.encoders.torch_images import ImageInput, TorchImages, pool_map
from lightbulb.encoders.weights import Weights, fit_into, resolve_weights
from lightbulb.torch_setup import torch

nn = torch.nn
POOLING_VERSION = 1
# torchvision's `SqueezeNet1_1_Weights.IMAGENET1K_V1`
IMAGENET_URL = "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth"


class SqueezeNet(TorchImages):
    name: ClassVar[str] = "squeezenet"
    tunable: ClassVar[bool] = True
    tuned_parts: ClassVar[tuple[str, ...]] = ("10.", "11.", "12.")  # fire modules 7 to 9
    dim = 1024

    def __init__(self, weights: Weights, *, image_size: int, max_pixels: float, device: str = "auto") -> None:
        network = squeezenet_features()
        fit_into(network, weights, prefix="features.")
        super().__init__(
            network,
            ImageInput(image_size),
            identity=f"{self.name}|{weights.digest}|{POOLING_VERSION}",
            device=device,
            max_pixels=max_pixels,
        )
        self.weights_name = weights.name
        self.banner = weights.banner

    @classmethod
    def load(cls, config: Config) -> SqueezeNet:
        weights = resolve_weights(
            config.model.weights,
            url=IMAGENET_URL,
            builtin="squeezenet1_1_builtin.safetensors",
        )
        return cls(
            weights,
            image_size=config.model.image_size,
            max_pixels=config.server.max_pixels,
            device=config.model.device,
        )

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        return pool_map(features)


class Fire(nn.Module):
    """(n, channels, h, w) → (n, 2 x expanded, h, w), through a few channels only."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], dim=1)


def squeezenet_features() -> nn.Sequential:
    """SqueezeNet 1.1 without its classifier: images (n, 3, h, w) → (n, 512, h / 16, w / 16)."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), halved(),
        Fire(64, 16, 64), Fire(128, 16, 64), halved(),
        Fire(128, 32, 128), Fire(256, 32, 128), halved(),
        Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip


def halved() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)
