"""Any classification model of torchvision by its name, such as resnet18 or efficientnet_b0.

With torchvision's weights, and the size, colours and interpolation they were trained with; but the whole
picture is scaled to that size, where torchvision would crop it: what is asked about may lie at the edge.
The embedding is what the last linear layer would have read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar

from PIL import Image

from lightbulb.config import Config
from lightbulb.encoders.torch_images import ImageInput, TorchImages, pool_map
from lightbulb.encoders.weights import Weights, fit_into, resolve_weights
from lightbulb.errors import WeightsError
from lightbulb.torch_setup import torch

RESAMPLING = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
              "bicubic": Image.Resampling.BICUBIC}  # fmt: skip


class TorchvisionModel(TorchImages):
    name: ClassVar[str] = "torchvision_model"

    def __init__(
        self, architecture: str, weights: Weights, shown: ImageInput, *, device: str, max_pixels: float
    ) -> None:
        network = models().get_model(architecture, weights=None, **without_auxiliary(architecture))
        fit_into(network, modern_keys(weights), prefix="")
        super().__init__(
            without_head(network),
            shown,
            identity=f"{architecture}|{weights.digest}",
            device=device,
            max_pixels=max_pixels,
        )
        self.weights_name = weights.name
        self.banner = weights.banner
        self.dim = self.measured_dim()

    @classmethod
    def accepts(cls, wanted: str) -> bool:
        return wanted in models().list_models(module=models())

    @classmethod
    def examples(cls) -> tuple[str, ...]:
        return ("mobilenet_v3_small", "mobilenet_v2", "resnet18", "efficientnet_b0")

    @classmethod
    def load(cls, config: Config) -> TorchvisionModel:
        architecture, model = config.model.encoder, config.model
        pretrained = models().get_model_weights(architecture).DEFAULT
        weights = resolve_weights(model.weights, url=pretrained.url, builtin=None)
        own = pretrained.transforms()
        chosen = "image_size" in model.model_fields_set
        shown = ImageInput(
            size=model.image_size if chosen else int(own.crop_size[0]),
            mean=tuple(own.mean),
            std=tuple(own.std),
            resample=RESAMPLING.get(own.interpolation.value, Image.Resampling.BILINEAR),
        )
        try:
            return cls(architecture, weights, shown, device=model.device, max_pixels=config.server.max_pixels)
        except (
            RuntimeError,
            ValueError,
            AssertionError,
        ) as error:  # such as a size a transformer cannot take
            raise WeightsError(f"model.encoder: {architecture} at {shown.size} pixels: {error}") from error

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        return pool_map(features)


def models() -> Any:
    """`torchvision.models`: imported when one of them is asked for, since that takes a second."""
    from lightbulb.vision import torchvision

    return torchvision.models


def without_auxiliary(architecture: str) -> dict[str, Any]:
    """Inception's networks have further heads for training, and normalise their input once more."""
    if architecture in ("inception_v3", "googlenet"):
        return {"aux_logits": False, "transform_input": True, "init_weights": False}
    return {}


def modern_keys(weights: Weights) -> Weights:
    """DenseNet's published weights still have the names of an earlier torchvision (`norm.1` for `norm1`)."""
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
    return replace(weights, tensors={old.sub(r"\1\2", key): one for key, one in weights.tensors.items()})


def without_head(network: torch.nn.Module) -> torch.nn.Module:
    """The network with its last linear layer taken out; of one without any, its feature map."""
    linear = [name for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)]
    if not linear:
        features = getattr(network, "features", None)
        if not isinstance(features, torch.nn.Module):
            raise WeightsError("model.encoder: this network has neither a linear layer nor a feature map")
        return features
    parent, _, child = linear[-1].rpartition(".")
    setattr(network.get_submodule(parent), child, torch.nn.Identity())
    return network
