"""Files → embeddings, beside the bare forward pass of the same network at the same size, batch and precision.

The bare network runs in both ways: with a batch on each core, as ours does, and with all cores on one. All
take turns, round by round, so that whatever else the machine does disturbs them alike.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.flop_counter import FlopCounterMode

from lightbulb.config import Config
from lightbulb.encoders.embed import encode_files
from lightbulb.encoders.torch_images import TorchImages
from lightbulb.errors import InputError
from lightbulb.measuring.encoder_variants import seconds_of, try_variants
from lightbulb.measuring.photographs import read_images, synthetic_photographs
from lightbulb.services.plugins import encoder_named
from lightbulb.torch_setup import CORES, keep_to_one_thread, torch

ROUNDS = 5
TOGETHER = 32  # images in a batch that all cores work on
PEAK_SIDE = 2048  # of the square matrices whose product stands for the machine's peak


def bench_encode(
    config: Config, *, images: int = 256, folder: Path | None = None, variants: bool = False
) -> dict[str, Any]:
    """images: files to encode in each round. folder: of photographs; synthetic ones by default.

    Raises: InputError for an encoder that is no torch network or a folder without images; WeightsError.
    """
    encoder = encoder_named(config.model.encoder).load(config)
    if not isinstance(encoder, TorchImages):
        raise InputError(f"model.encoder: {config.model.encoder} has no bare forward pass to compare with")
    photographs = read_images(folder) if folder else synthetic_photographs(np.random.default_rng(0))
    times = measure(encoder, photographs, images)
    flops = flops_of(encoder)
    bare = statistics.median(times["bare"])
    peak = peak_flops(encoder)
    result: dict[str, Any] = {
        "bench": "encode",
        "encoder": config.model.encoder,
        "weights": encoder.weights_name,
        "image_size": encoder.image_size,
        "batch": encoder.batch,
        "precision": encoder.precision,
        "device": encoder.device,
        "cores": CORES,
        "images_per_second": round(1 / statistics.median(times["files"]), 1),
        "encode_only_images_per_second": round(1 / statistics.median(times["encode"]), 1),
        "bare_forward_images_per_second": round(1 / bare, 1),
        "bare_together_images_per_second": round(1 / statistics.median(times["together"]), 1),
        "ratio": round(ratio_of(times["bare"], times["files"]), 3),
        "encode_only_ratio": round(ratio_of(times["bare"], times["encode"]), 3),
        "ratio_to_together": round(ratio_of(times["together"], times["files"]), 3),
        "bare_gflop_per_second": round(flops / bare / 1e9, 1),
        "matrix_product_gflop_per_second": round(peak / 1e9, 1),
        "share_of_peak": round(flops / bare / peak, 3),
        "peak_memory_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if variants:
        result["variants"] = try_variants(encoder)
    return result


def measure(encoder: TorchImages, photographs: Sequence[bytes], images: int) -> dict[str, list[float]]:
    """Seconds per image in each round: from files, from prepared pixels, and of the bare network."""
    ready = [encoder.prepare(data) for data in photographs[: encoder.batch]]
    small, large = encoder.blank_batch(encoder.batch), encoder.blank_batch(TOGETHER)
    with (
        tempfile.TemporaryDirectory(prefix="lightbulb-bench-") as folder,
        ThreadPoolExecutor(CORES, initializer=keep_to_one_thread) as pool,
    ):
        files = write_files(photographs, images, Path(folder))

        def on_each_core(work: Callable[[], object], done: int) -> float:
            return max(pool.map(lambda _: per_image(work, done, images // CORES), range(CORES))) / CORES

        ways: dict[str, Callable[[], float]] = {
            "files": lambda: per_image(lambda: run_files(encoder, files), images, images),
            "encode": lambda: on_each_core(lambda: encoder.encode(ready), len(ready)),
            "bare": lambda: on_each_core(lambda: encoder.forward(small), len(small)),
            "together": lambda: per_image(lambda: encoder.forward(large), len(large), images),
        }
        rounds = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS + 1)]
    return {name: [one[name] for one in rounds[1:]] for name in ways}  # the first warms up


def write_files(photographs: Sequence[bytes], count: int, folder: Path) -> list[tuple[int, Path]]:
    """(item, file): the photographs over and over. Told apart by a byte after the image's end."""
    files = []
    for index in range(count):
        path = folder / f"{index:06}.jpg"
        path.write_bytes(photographs[index % len(photographs)] + index.to_bytes(4, "little"))
        files.append((index, path))
    return files


def run_files(encoder: TorchImages, files: Sequence[tuple[int, Path]]) -> int:
    """The path that fills the cache, from reading the files on; how many embeddings came of it."""
    return sum(len(chunk.new) for chunk in encode_files(encoder, files, cached=lambda content: False))


def per_image(work: Callable[[], object], done: int, wanted: int) -> float:
    """Seconds per image, repeating work that does `done` of them until `wanted` are."""
    times = max(1, -(-wanted // done))
    return seconds_of(lambda: [work() for _ in range(times)]) / (times * done)


def ratio_of(bare: Sequence[float], ours: Sequence[float]) -> float:
    """How fast ours is beside the bare one: median over the rounds."""
    return statistics.median(one / other for one, other in zip(bare, ours, strict=True))


def flops_of(encoder: TorchImages) -> int:
    """Of one image: a multiplication and an addition count as two. Only torch's own steps are seen."""
    network, side = encoder.fresh_network(), encoder.image_size
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, side, side))
    return int(counter.get_total_flops())


def peak_flops(encoder: TorchImages) -> float:
    """FLOP/s of a large matrix product in the encoder's precision, on its device: the best of a few."""
    batch = encoder.blank_batch(1)
    a = torch.rand(PEAK_SIDE, PEAK_SIDE).to(batch.device, batch.dtype)
    best = min(seconds_of(lambda: encoder.finish(a @ a)) for _ in range(6))
    return 2 * PEAK_SIDE**3 / best
