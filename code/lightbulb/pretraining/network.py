"""SqueezeNet 1.1 as it is trained: batch-norm after every convolution, folded away when saved.

Batch-norm (Ioffe and Szegedy 2015, arXiv 1502.03167) makes a network without it trainable from nothing at
a high learning rate; being linear once trained, it disappears into the convolution before it, and what is
saved loads into torchvision's model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightbulb.encoders.squeezenet import squeezenet_features
from lightbulb.torch_setup import torch

nn = torch.nn
CHANNELS = 512  # of the feature map


class NormalisedConvolution(nn.Module):
    def __init__(self, convolution: torch.nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm2d(convolution.out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(x))

    def fold(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of the one convolution that does the same in evaluation mode."""
        norm, convolution = self.norm, self.convolution
        assert norm.running_mean is not None and norm.running_var is not None and convolution.bias is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = (convolution.bias - norm.running_mean) * scale + norm.bias
        return convolution.weight * scale[:, None, None, None], bias


def trainable_features() -> torch.nn.Module:
    """`squeezenet_features`, freshly initialised, with batch-norms: (n, 512, h', w')."""
    features: Any = squeezenet_features()  # torch declares no memory_format for modules
    _insert_norms(features)
    return features.to(memory_format=torch.channels_last)


def _insert_norms(module: torch.nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, nonlinearity="relu")
            setattr(module, name, NormalisedConvolution(child))
        else:
            _insert_norms(child)


def load_folded(features: torch.nn.Module, tensors: Mapping[str, torch.Tensor], sample: torch.Tensor) -> None:
    """Starts from weights without batch-norms: each norm first gives back what it took from the sample.

    tensors: keyed as torchvision's features. sample: normalised images (n, 3, h, w).
    Raises: KeyError, or RuntimeError if shapes differ.
    """
    hooks = []
    for name, module in features.named_modules():
        if isinstance(module, NormalisedConvolution):
            module.convolution.load_state_dict(
                {"weight": tensors[f"{name}.weight"], "bias": tensors[f"{name}.bias"]}
            )
            hooks.append(module.norm.register_forward_pre_hook(_make_transparent))
    with torch.no_grad():
        features.eval()(sample)
    for hook in hooks:
        hook.remove()
    features.train()


def _make_transparent(norm: torch.nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
    mean, variance = inputs[0].mean(dim=(0, 2, 3)), inputs[0].var(dim=(0, 2, 3), unbiased=False)
    state = {"running_mean": mean, "running_var": variance, "bias": mean}
    norm.load_state_dict({**norm.state_dict(), **state, "weight": torch.sqrt(variance + norm.eps)})


def folded(features: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Tensors keyed as torchvision's `squeezenet1_1().features`."""
    tensors: dict[str, torch.Tensor] = {}
    for name, module in features.named_modules():
        if isinstance(module, NormalisedConvolution):
            weight, bias = module.fold()
            tensors[f"{name}.weight"] = weight.detach().cpu().contiguous()
            tensors[f"{name}.bias"] = bias.detach().cpu().contiguous()
    return tensors
