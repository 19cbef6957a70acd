"""A network as oneDNN computes it fastest on the CPU: fewer, larger steps, the same result but for rounding.

A batch normalisation becomes part of the convolution before it, an activation is applied while the
convolution's output is still in the cache, and the weights lie in the order oneDNN wants. In 16 bits, values
that cannot be negative are max-pooled as integers: they sort as they do, and are compared many at a time.
"""

from __future__ import annotations

import copy
import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lightbulb.torch_setup import scripted, torch

if TYPE_CHECKING:
    number = float  # a type of TorchScript's own

# What oneDNN can do to a convolution's output: its name and numbers by what torch calls it.
ACTIVATIONS: dict[Any, tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    functional.relu: ("relu", []),
    torch.relu: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.Sigmoid: ("sigmoid", []),
    nn.SiLU: ("swish", []),
    nn.Hardswish: ("hardswish", []),
}
NOTHING: tuple[str, list[float]] = ("none", [])
NEVER_NEGATIVE = {nn.ReLU, functional.relu, torch.relu, nn.ReLU6, nn.Sigmoid}
KEEPS_SIGNS = {nn.MaxPool2d, nn.Dropout, nn.Identity, torch.cat, torch.concat}


def fused(network: nn.Module, kind: torch.dtype, shape: tuple[int, ...]) -> tuple[fx.GraphModule, bool]:
    """A faster copy of a network in another precision, for inference alone, and whether batch normalisations
    are folded in it, which changes its results a little more than the precision does.

    shape: (n, 3, h, w) of the input that it is to be fastest for; it takes other n as well.
    Raises: whatever `torch.fx` raises for a network it cannot follow.
    """
    graph = fx.symbolic_trace(copy.deepcopy(network).float())
    folded = fold_normalisations(graph)
    graph.to(kind).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if kind.itemsize == 2:
        pool_as_integers(graph)
    join_convolutions(graph, input_shapes(graph, kind, shape))
    return graph, folded > 0


def fold_normalisations(graph: fx.GraphModule) -> int:
    """Makes batch normalisations part of the convolutions before them. Returns how many."""
    convolutions, folded = set(called_once(graph, nn.Conv2d)), 0
    for node in called_once(graph, nn.BatchNorm2d):
        before: Any = node.args[0]
        if before in convolutions and len(before.users) == 1:
            replace_module(before, fuse_conv_bn_eval(module_of(before), module_of(node)))
            remove_step(node, before)
            folded += 1
    graph.recompile()
    return folded


def join_convolutions(graph: fx.GraphModule, shapes: dict[str, list[int]]) -> None:
    """Puts oneDNN's convolutions in place of torch's, each with the activation after it.

    shapes: of their inputs.
    """
    for node in called_once(graph, nn.Conv2d):
        if not is_plain(module_of(node)):
            continue
        after = next(iter(node.users)) if len(node.users) == 1 else None
        activation = ACTIVATIONS.get(kind_of(after)) if after is not None else None
        shape = shapes[str(node.target)]
        replace_module(node, FusedConvolution(module_of(node), activation or NOTHING, shape))
        if after is not None and activation is not None:
            remove_step(after, node)
    graph.recompile()


def pool_as_integers(graph: fx.GraphModule) -> None:
    for node in called_once(graph, nn.MaxPool2d):
        plain = module_of(node)
        if is_never_negative(node.args[0]) and pair(plain.dilation) == (1, 1) and not plain.return_indices:
            replace_module(node, NonNegativePooling(plain))
    graph.recompile()


def is_never_negative(node: Any) -> bool:
    kind = kind_of(node)
    if kind in KEEPS_SIGNS:
        return all(is_never_negative(one) for one in node.all_input_nodes)
    return kind in NEVER_NEGATIVE or kind is NonNegativePooling


class FusedConvolution(nn.Module):
    """shape: of the input that the weights are laid out for."""

    def __init__(self, plain: nn.Conv2d, activation: tuple[str, list[float]], shape: list[int]) -> None:
        super().__init__()
        padding, stride, dilation = (list(pair(one)) for one in (plain.padding, plain.stride, plain.dilation))
        self._place = (padding, stride, dilation, plain.groups)
        self._activation = activation
        lay_out = torch.ops.mkldnn._reorder_convolution_weight
        self._weight: torch.Tensor
        self._bias: torch.Tensor | None
        # buffers, so that a tracer finds them
        self.register_buffer("_weight", lay_out(plain.weight.detach(), *self._place, shape))
        self.register_buffer("_bias", None if plain.bias is None else plain.bias.detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scripted(joined_convolution)(x, self._weight, self._bias, *self._place, *self._activation)


def joined_convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    padding: list[int],
    stride: list[int],
    dilation: list[int],
    groups: int,
    activation: str,
    numbers: list[float],
) -> torch.Tensor:
    """A tracer cannot follow the operator itself, for its list of numbers; this, scripted, it can."""
    scalars: list[number | None] = []
    for one in numbers:
        scalars.append(one)
    return torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, stride, dilation, groups, activation, scalars, ""
    )


def reinterpreted(x: torch.Tensor, kind: int) -> torch.Tensor:
    """The same bits as another type of that size: `x.view(kind)`, which TorchScript lacks."""
    start = x.storage_offset() * x.element_size()
    return torch.ops.inductor._alloc_from_pool(x, start, kind, x.size(), x.stride())


class NonNegativePooling(nn.Module):
    """Max pooling of 16-bit values that are not negative: zeros around them change nothing."""

    def __init__(self, plain: nn.MaxPool2d) -> None:
        super().__init__()
        self._axes = [
            Windows(kernel, stride, padding, plain.ceil_mode)
            for kernel, stride, padding in zip(
                pair(plain.kernel_size), pair(plain.stride), pair(plain.padding), strict=True
            )
        ]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = scripted(reinterpreted)(x, torch.int16)
        rows, columns = self._axes
        edges = [*columns.edges(x.shape[3]), *rows.edges(x.shape[2])]
        if any(edges):
            values = functional.pad(values, edges)
        high = functools.reduce(torch.maximum, (values[:, :, one] for one in rows.slices(x.shape[2])))
        wide = (high[:, :, :, one] for one in columns.slices(x.shape[3]))
        return scripted(reinterpreted)(functools.reduce(torch.maximum, wide), x.dtype)


@dataclass(frozen=True)
class Windows:
    """Where max pooling looks along one axis. rounds_up: a last window may reach over the end."""

    kernel: int
    stride: int
    padding: int
    rounds_up: bool

    def count(self, size: int) -> int:
        span = size + 2 * self.padding - self.kernel
        count = (-(-span // self.stride) if self.rounds_up else span // self.stride) + 1
        begins_outside = (count - 1) * self.stride >= size + self.padding
        return count - 1 if begins_outside else count

    def edges(self, size: int) -> tuple[int, int]:
        """How much has to be added before and after, so that every window is whole."""
        reached = (self.count(size) - 1) * self.stride + self.kernel
        return self.padding, max(0, reached - self.padding - size)

    def slices(self, size: int) -> list[slice]:
        """The first place of every window, the second of every one, and so on."""
        last = (self.count(size) - 1) * self.stride
        return [slice(at, at + last + 1, self.stride) for at in range(self.kernel)]


def called_once(graph: fx.GraphModule, kind: type[nn.Module]) -> list[fx.Node]:
    """Steps of one kind, but for modules used in several places: what follows them may differ."""
    uses = Counter(node.target for node in graph.graph.nodes if node.op == "call_module")
    return [
        node
        for node in graph.graph.nodes
        if node.op == "call_module" and uses[node.target] == 1 and type(module_of(node)) is kind
    ]


def kind_of(node: fx.Node) -> Any:
    """The class of a module, the function itself, or None."""
    if node.op == "call_module":
        return type(module_of(node))
    return node.target if node.op == "call_function" else None


def module_of(node: fx.Node) -> Any:
    return owner_of(node).get_submodule(str(node.target))


def owner_of(node: fx.Node) -> nn.Module:
    owner = node.graph.owning_module
    assert owner is not None
    return owner


def replace_module(node: fx.Node, module: nn.Module) -> None:
    parent, _, name = str(node.target).rpartition(".")
    setattr(owner_of(node).get_submodule(parent), name, module)


def remove_step(node: fx.Node, before: fx.Node) -> None:
    node.replace_all_uses_with(before)
    node.graph.erase_node(node)


def is_plain(convolution: nn.Conv2d) -> bool:
    return convolution.padding_mode == "zeros" and not isinstance(convolution.padding, str)


def input_shapes(graph: fx.GraphModule, kind: torch.dtype, shape: tuple[int, ...]) -> dict[str, list[int]]:
    """What each convolution is given, by its name. shape: (n, 3, h, w) of the network's input."""
    shapes: dict[str, list[int]] = {}

    def note(name: str, given: torch.Tensor) -> None:
        shapes[name] = [shape[0], *given.shape[1:]]

    hooks = [
        module.register_forward_pre_hook(lambda _, given, name=name: note(name, given[0]))
        for name, module in graph.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.inference_mode():
        graph(torch.zeros(1, *shape[1:], dtype=kind))
    for hook in hooks:
        hook.remove()
    return shapes


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
