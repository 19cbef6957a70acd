"""Muon for the kernels of convolutions, AdamW for everything else.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": the momentum of a weight matrix
is made orthogonal before it is applied, so that every direction is learnt at one pace and not only the few
that dominate the gradient. Updates are scaled to the size of those of AdamW, as in Liu et al. 2025 (arXiv
2502.16982), so one learning rate serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lightbulb.torch_setup import torch

WEIGHT_DECAY = 1e-4
MOMENTUM = 0.95
ITERATIONS = 5  # of Newton and Schulz, after which singular values lie between about 0.7 and 1.2
QUINTIC = (3.4445, -4.7750, 2.0315)
ADAMW_SIZE = 0.2  # root mean square of what AdamW usually adds, in units of the learning rate


class Muon(torch.optim.Optimizer):
    """Parameters of two or more dimensions; all but the first are taken as a matrix's columns."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], learning_rate: float) -> None:
        super().__init__(parameters, {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group["lr"])

    def _update(self, parameter: torch.Tensor, gradient: torch.Tensor, learning_rate: float) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM).reshape(len(parameter), -1)  # as Nesterov's
        size = learning_rate * ADAMW_SIZE * max(ahead.shape) ** 0.5
        parameter.mul_(1 - learning_rate * WEIGHT_DECAY)
        parameter.sub_(size * orthogonalised(ahead).reshape(parameter.shape).to(parameter.dtype))


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """Float (rows, columns) → bfloat16 with the same singular vectors, and singular values near 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    first, third, fifth = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = first * x + (third * square + fifth * square @ square) @ x
    return x.T if tall else x


def make_optimisers(
    features: torch.nn.Module, objective: torch.nn.Module, learning_rate: float
) -> list[torch.optim.Optimizer]:
    """The network's inner kernels to Muon; the first one, batch-norms, biases and the objective to AdamW."""
    kernels = [parameter for parameter in features.parameters() if parameter.dim() == 4][1:]
    chosen = set(map(id, kernels))
    rest = [one for part in (features, objective) for one in part.parameters() if id(one) not in chosen]
    adamw = torch.optim.AdamW(rest, lr=learning_rate, weight_decay=WEIGHT_DECAY)
    return [Muon(kernels, learning_rate), adamw]
