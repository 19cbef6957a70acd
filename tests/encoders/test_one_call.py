"""A network as a single call into torch gives what its steps give, or is left as steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lightbulb import torch_setup
from lightbulb.encoders.squeezenet import SqueezeNet
from lightbulb.encoders.torch_images import ImageInput, TorchImages, pool_map, smooth_pictures
from lightbulb.torch_setup import torch
from lightbulb.vision import torchvision
from support import config_for

SIDE = 64


class Plain(TorchImages):
    name = "plain"
    dim = 0

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, ImageInput(SIDE), identity="plain", device="cpu", max_pixels=1e6)

    @classmethod
    def load(cls, config: object) -> Plain:
        raise NotImplementedError

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        return pool_map(features)


def is_one_call(encoder: TorchImages) -> bool:
    return isinstance(encoder._embed, torch.jit.ScriptModule)


def assert_same(encoder: TorchImages) -> None:
    for count in (1, 3, encoder.batch):
        pictures = smooth_pictures(count, encoder.image_size)
        with torch.inference_mode():
            assert torch.equal(encoder._embed(pictures), encoder._embed_stepwise(pictures)), count


def test_the_default_encoder_is_one_call(tmp_path: Path) -> None:
    encoder = SqueezeNet.load(config_for(tmp_path, tmp_path))
    assert is_one_call(encoder)
    assert_same(encoder)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mobilenet_v2", "resnet18", "efficientnet_b0"])
def test_so_are_torchvision_s(name: str) -> None:
    encoder = Plain(torchvision.models.get_model(name, weights=None))
    assert is_one_call(encoder)
    assert_same(encoder)


class CountsItsInputs(nn.Module):
    """A tracer takes the number of images for a constant."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) * float(len(x.tolist()))


class OneByOne(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([one.mean((1, 2)) for one in x])


@pytest.mark.parametrize("network", [CountsItsInputs, OneByOne])
def test_what_a_tracer_would_get_wrong_stays_as_steps(network: Callable[[], nn.Module]) -> None:
    encoder = Plain(network())
    assert not is_one_call(encoder)
    assert_same(encoder)


def refuses(*_: Any, **__: Any) -> Any:
    raise RuntimeError("TorchScript is not supported here")


@pytest.mark.parametrize("missing", ["script", "trace"])
def test_without_torchscript(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = SqueezeNet.load(config_for(tmp_path, tmp_path))
    torch_setup.scripted.cache_clear()
    monkeypatch.setattr(torch.jit, missing, refuses)
    other = SqueezeNet.load(config_for(tmp_path, tmp_path))
    torch_setup.scripted.cache_clear()
    assert not is_one_call(other)
    assert other.fingerprint == usual.fingerprint  # the cached embeddings hold
    pictures = smooth_pictures(3, other.image_size)
    with torch.inference_mode():
        assert torch.equal(other._embed(pictures), usual._embed(pictures))
