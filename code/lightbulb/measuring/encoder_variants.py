"""Other ways to run an encoder's network on the CPU: how fast each is, and how near its embeddings come.

All of them take turns, round by round, so that whatever else the machine does disturbs them alike.
"""

from __future__ import annotations

import importlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lightbulb.encoders.fusing import fused
from lightbulb.encoders.torch_images import TorchImages, smallest_cosine
from lightbulb.torch_setup import torch

ROUNDS = 7
BATCH = 32
BASIS = "float32, channels_last"  # what the others' speed is told beside

Work = Callable[[], torch.Tensor]  # → embeddings, float32 (n, dim)


def try_variants(encoder: TorchImages) -> list[dict[str, Any]]:
    """Images per second at best, speed beside `BASIS`, smallest cosine of embeddings to plain float32's."""
    pixels = torch.rand(BATCH, 3, encoder.image_size, encoder.image_size)
    reference = plain(encoder, pixels)()
    works: dict[str, Work] = {}
    problems: dict[str, str] = {}
    for name, make in VARIANTS.items():
        try:
            works[name] = make(encoder, pixels)
            works[name]()  # the first calls compile, profile and allocate
            works[name]()
        except (
            Exception
        ) as error:  # a compiler or a package may be missing, an operator not be there in bfloat16
            problems[name] = str(error).strip().splitlines()[0][:100]
            works.pop(name, None)
    rounds = [{name: seconds_of(work) for name, work in works.items()} for _ in range(ROUNDS)]
    return [
        {"variant": name, "problem": problems[name]}
        if name in problems
        else {
            "variant": name,
            "images_per_second": round(len(pixels) / min(one[name] for one in rounds), 1),
            "ratio": round(statistics.median(one[BASIS] / one[name] for one in rounds), 2),
            "cosine": round(smallest_cosine(works[name](), reference), 5),
        }
        for name in VARIANTS
    ]


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Embedder(torch.nn.Module):
    """Network and pooling as one: normalised pixels (n, 3, h, w) → float32 (n, dim)."""

    def __init__(self, encoder: TorchImages) -> None:
        super().__init__()
        self.network = encoder.fresh_network()
        self._pool = encoder.pool

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._pool(self.network(pixels))


def inferred(network: Any, pixels: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(pixels).float()


def plain(encoder: TorchImages, pixels: torch.Tensor) -> Work:
    embedder = Embedder(encoder)
    return lambda: inferred(embedder, pixels)


def channels_last(encoder: TorchImages, pixels: torch.Tensor, kind: torch.dtype) -> Work:
    embedder: Any = Embedder(encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    embedder, turned = embedder.to(kind), pixels.to(kind).contiguous(memory_format=torch.channels_last)
    return lambda: inferred(embedder, turned)


def joined(encoder: TorchImages, pixels: torch.Tensor, kind: torch.dtype) -> Work:
    network, _ = fused(encoder.fresh_network(), kind, tuple(pixels.shape))
    turned = pixels.to(kind).contiguous(memory_format=torch.channels_last)
    return lambda: encoder.pool(inferred(network, turned))


def compiled(encoder: TorchImages, pixels: torch.Tensor, kind: torch.dtype) -> Work:
    embedder: Any = Embedder(encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    faster: Any = torch.compile(embedder.to(kind))
    turned = pixels.to(kind).contiguous(memory_format=torch.channels_last)
    return lambda: inferred(faster, turned)


def optimised(encoder: TorchImages, pixels: torch.Tensor) -> Work:
    script: Any = torch.jit.script(encoder.fresh_network().eval())
    script = torch.jit.optimize_for_inference(torch.jit.freeze(script))
    return lambda: encoder.pool(inferred(script, pixels))


def with_onnxruntime(encoder: TorchImages, pixels: torch.Tensor) -> Work:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    exported: Any = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # the older exporter needs no further package, but warns
        torch.onnx.export(Embedder(encoder).eval(), (pixels,), exported, input_names=["pixels"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(exported.getvalue(), options, providers=["CPUExecutionProvider"])
    fed: dict[str, np.ndarray] = {"pixels": pixels.numpy()}
    return lambda: torch.from_numpy(session.run(None, fed)[0])


def with_openvino(encoder: TorchImages, pixels: torch.Tensor, precision: str) -> Work:
    openvino: Any = importlib.import_module("openvino")
    model = openvino.convert_model(Embedder(encoder).eval(), example_input=pixels, input=list(pixels.shape))
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    network = openvino.Core().compile_model(model, "CPU", settings)
    return lambda: torch.from_numpy(network(pixels.numpy())[0])


VARIANTS: dict[str, Callable[[TorchImages, torch.Tensor], Work]] = {
    "float32, contiguous": plain,
    BASIS: lambda encoder, pixels: channels_last(encoder, pixels, torch.float32),
    "bfloat16, channels_last": lambda encoder, pixels: channels_last(encoder, pixels, torch.bfloat16),
    "float32, fused": lambda encoder, pixels: joined(encoder, pixels, torch.float32),
    "bfloat16, fused": lambda encoder, pixels: joined(encoder, pixels, torch.bfloat16),
    "float32, TorchScript frozen and optimised": optimised,
    "float32, torch.compile": lambda encoder, pixels: compiled(encoder, pixels, torch.float32),
    "bfloat16, torch.compile": lambda encoder, pixels: compiled(encoder, pixels, torch.bfloat16),
    "float32, onnxruntime": with_onnxruntime,
    "float32, OpenVINO": lambda encoder, pixels: with_openvino(encoder, pixels, "f32"),
    "bfloat16, OpenVINO": lambda encoder, pixels: with_openvino(encoder, pixels, "bf16"),
}


def show_variants(result: dict[str, Any]) -> None:
    table = Table(title=f"{result['encoder']}, batch {BATCH}, {result['cores']} threads")
    for column in ("variant", "images/s", "beside float32", "cosine to float32"):
        table.add_column(column)
    for one in result["variants"]:
        rate = one.get("images_per_second", one.get("problem"))
        table.add_row(one["variant"], str(rate), str(one.get("ratio", "–")), str(one.get("cosine", "–")))
    Console().print(table)
