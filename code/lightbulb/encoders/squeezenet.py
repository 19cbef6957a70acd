"""SqueezeNet 1.1: small and fast enough for a laptop's CPU (Iandola et al. 2016, arXiv 1602.07360).

The `features` part of torchvision's network; its weights as `weights.py` resolves them. The last
feature map is pooled to one vector, average beside maximum: 2 x 512 values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.encoders.weights import Weights, fit_into, resolve_weights
from lightbulb.items.image import PIXELS_VERSION, read_pixels
from lightbulb.records import Float16s
from lightbulb.torch_setup import torch
from lightbulb.vision import torchvision

POOLING_VERSION = 1
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SqueezeNet(Encoder):
    name: ClassVar[str] = "squeezenet"
    data_type: ClassVar[str] = "images"
    dim = 1024

    def __init__(self, weights: Weights, *, image_size: int, max_pixels: float) -> None:
        network = torchvision.models.squeezenet1_1(weights=None).features
        fit_into(network, weights, prefix="features.")
        self._network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1) * 255
        self._image_size = image_size
        self._max_pixels = max_pixels
        self.weights_name = weights.name
        self.banner = weights.banner
        recipe = f"{self.name}|{weights.digest}|{image_size}|{PIXELS_VERSION}|{POOLING_VERSION}"
        self.fingerprint = hashlib.sha256(recipe.encode()).hexdigest()[:16]

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
            max_pixels=config.server.max_image_megapixels * 1e6,
        )

    def prepare(self, data: bytes) -> np.ndarray:
        return read_pixels(data, self._image_size, max_pixels=self._max_pixels)

    def encode(self, inputs: Sequence[object]) -> Float16s:
        if not inputs:
            return np.empty((0, self.dim), dtype=np.float16)
        pixels = torch.from_numpy(np.stack([np.asarray(image) for image in inputs]))
        with torch.inference_mode():
            # (n, h, w, 3) seen as (n, 3, h, w) is channels_last already
            batch = pixels.permute(0, 3, 1, 2).float().sub_(self._mean).div_(self._std)
            features = self._network(batch)  # (n, 512, h', w')
            pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        return pooled.numpy().astype(np.float16)
