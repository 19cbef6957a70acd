"""SqueezeNet 1.1: small and fast enough for a laptop's CPU (Iandola et al. 2016, arXiv 1602.07360).

The `features` part of torchvision's network; its weights as `weights.py` resolves them. The last
feature map is pooled to one vector, average beside maximum: 2 x 512 values.
"""

from __future__ import annotations

from typing import ClassVar

from lightbulb.config import Config
from lightbulb.encoders.torch_images import ImageInput, TorchImages, pool_map
from lightbulb.encoders.weights import Weights, fit_into, resolve_weights
from lightbulb.torch_setup import torch
from lightbulb.vision import torchvision

POOLING_VERSION = 1


class SqueezeNet(TorchImages):
    name: ClassVar[str] = "squeezenet"
    tunable: ClassVar[bool] = True
    tuned_parts: ClassVar[tuple[str, ...]] = ("10.", "11.", "12.")  # fire modules 7 to 9
    dim = 1024

    def __init__(self, weights: Weights, *, image_size: int, max_pixels: float, device: str = "auto") -> None:
        network = torchvision.models.squeezenet1_1(weights=None).features
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
            url=torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url,
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
