"""Joined steps give what the plain network gives."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from lightbulb.encoders import fusing, torch_images
from lightbulb.encoders.fusing import FusedConvolution, NonNegativePooling, fused
from lightbulb.encoders.squeezenet import SqueezeNet
from lightbulb.torch_setup import has_bfloat16, torch
from lightbulb.vision import torchvision
from support import config_for

SIDE = 64
LOW = has_bfloat16(torch.device("cpu"))


def answers(network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(pixels).float()


def kinds(network: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules()]


def with_statistics(network: nn.Module) -> nn.Module:
    """As if it had been trained: new batch normalisations change nothing, and would hide a mistake."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


@pytest.mark.parametrize(
    "name",
    ["squeezenet1_1", "mobilenet_v3_small", "mobilenet_v2", "resnet18", "efficientnet_b0", "densenet121"],
)
def test_a_fused_network_answers_as_the_plain_one(name: str) -> None:
    network = with_statistics(torchvision.models.get_model(name, weights=None))
    faster, is_folded = fused(network, torch.float32, (8, 3, SIDE, SIDE))
    assert FusedConvolution in kinds(faster) and is_folded == (name != "squeezenet1_1")
    for count in (1, 3, 8):
        pixels = torch.rand(count, 3, SIDE, SIDE)
        wanted = answers(network, pixels)
        # trained weights keep numbers small; random ones do not, so errors are told beside their size
        assert float((answers(faster, pixels) - wanted).abs().max()) <= 1e-4 * float(wanted.abs().max())


@pytest.mark.parametrize(("kernel", "stride", "padding"), list(itertools.product((2, 3), (1, 2, 3), (0, 1))))
def test_pooling_as_integers_is_exact(kernel: int, stride: int, padding: int) -> None:
    for rounds_up, size in itertools.product((False, True), (7, 8, 9, 10)):
        plain = nn.MaxPool2d(kernel, stride, padding, ceil_mode=rounds_up)
        x = torch.randn(2, 3, size, size + 3).relu().to(torch.bfloat16)
        assert torch.equal(NonNegativePooling(plain)(x), plain(x)), (rounds_up, size)


@pytest.mark.skipif(not LOW, reason="this processor does not compute in bfloat16")
def test_only_what_cannot_be_negative_is_pooled_as_integers() -> None:
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
    network = nn.Sequential(first, nn.MaxPool2d(2), second, nn.ReLU(), nn.MaxPool2d(2)).eval()
    faster, _ = fused(network, torch.bfloat16, (2, 3, SIDE, SIDE))
    assert kinds(faster).count(nn.MaxPool2d) == 1 and kinds(faster).count(NonNegativePooling) == 1
    pixels = torch.rand(2, 3, SIDE, SIDE)
    assert torch.allclose(answers(faster, pixels.bfloat16()), answers(network, pixels), atol=0.02)


class Twice(nn.Module):
    """One convolution in two places, with different steps after it."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 3, padding=1)
        self.wraps = nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular")
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.wraps(self.shared(self.relu(self.shared(x))))


def test_what_cannot_be_joined_stays_as_it_is() -> None:
    network = Twice().eval()
    faster, _ = fused(network, torch.float32, (1, 3, SIDE, SIDE))
    pixels = torch.rand(1, 3, SIDE, SIDE)
    assert FusedConvolution not in kinds(faster)
    assert torch.allclose(answers(faster, pixels), answers(network, pixels), atol=1e-5)


def test_the_network_itself_is_left_alone() -> None:
    network = with_statistics(torchvision.models.resnet18())
    before = {name: one.clone() for name, one in network.state_dict().items()}
    fused(network, torch.bfloat16 if LOW else torch.float32, (1, 3, SIDE, SIDE))
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())


def refuses(*_: Any) -> Any:
    raise RuntimeError("no such operator")


def gives_noise(network: nn.Module, kind: torch.dtype, shape: tuple[int, ...]) -> tuple[nn.Module, bool]:
    faster, _ = fused(network, kind, shape)
    return nn.Sequential(faster, nn.Dropout(0.9).train()), True


@pytest.mark.parametrize("broken", [refuses, gives_noise])
def test_a_way_that_fails_or_is_unfaithful_is_not_taken(
    broken: Any, tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(tmp_path, tmp_path)
    usual = SqueezeNet.load(config)
    monkeypatch.setattr(torch_images, "fused", broken)
    careful = SqueezeNet.load(config)
    pictures = [usual.prepare(file.read_bytes()) for file in sorted((digits / "digits").iterdir())[:5]]
    mine, wanted = (one.encode(pictures).astype(np.float32) for one in (careful, usual))
    assert torch.nn.functional.cosine_similarity(torch.tensor(mine), torch.tensor(wanted)).min() > 0.999
    assert careful.fingerprint == usual.fingerprint or careful.precision != usual.precision


def test_windows_are_counted_as_torch_counts_them() -> None:
    for kernel, stride, padding, size in itertools.product((2, 3), (1, 2, 3), (0, 1), range(4, 12)):
        for rounds_up in (False, True):
            plain = nn.MaxPool2d(kernel, stride, padding, ceil_mode=rounds_up)
            count = fusing.Windows(kernel, stride, padding, rounds_up).count(size)
            assert count == plain(torch.zeros(1, 1, size, size)).shape[2]
