"""What every torch network for images shares: pixels in, embeddings out, as fast as the machine allows.

Tried on one CPU core with SqueezeNet 1.1 at 224 pixels (`lightbulb bench encode --variants` tries it again):
channels_last halves the time, bfloat16 takes another third off where the processor computes in it, and
joining the steps of the network a quarter of the rest; embeddings keep a cosine of over 0.999 to float32's.
"""

from __future__ import annotations

import copy
import hashlib
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from lightbulb.encoders import Encoder
from lightbulb.encoders.fusing import fused
from lightbulb.items.image import PIXELS_VERSION, read_pixels
from lightbulb.records import Float16s
from lightbulb.torch_setup import CORES, has_bfloat16, pick_device, torch, torch_threads, without_warnings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CPU_BATCH = 8  # images; more does not pay on one core, and holds more memory
GPU_BYTES_PER_PIXEL = 1200  # of activations, reckoned generously
GPU_SHARE = 0.5  # of its free memory, for one batch
LARGEST_BATCH = 512
FAITHFUL = 0.999  # cosine similarity to float32's embeddings that a lower precision has to keep
TRIED = 4  # pictures that it is tried on
TRIALS = 3  # of encoding one picture with one thread and with all

# Makes what runs: the network, its precision, and what sets its embeddings apart but for that.
Way = Callable[[], tuple[Any, torch.dtype, str]]


@dataclass(frozen=True)
class ImageInput:
    """What a network wants to see. size: side in pixels. mean, std: per channel, of values from 0 to 1."""

    size: int
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    resample: Image.Resampling = Image.Resampling.BILINEAR

    def recipe(self) -> str:
        return f"{self.size}|{self.mean}|{self.std}|{self.resample.name}|{PIXELS_VERSION}"


@dataclass(frozen=True)
class Trainable:
    """What training an encoder further takes.

    network: a copy on the CPU, float32, that may be changed. parts: beginnings of the names of the parameters
    to train. pool: as `TorchImages.pool`. shown: what it wants to see.
    """

    network: torch.nn.Module
    parts: tuple[str, ...]
    pool: Callable[[torch.Tensor], torch.Tensor]
    shown: ImageInput
    max_pixels: float


class TorchImages(Encoder):
    """network: normalised images (n, 3, h, w) → whatever `pool` turns into (n, dim).

    identity: of architecture and weights, for the fingerprint. convert: whether the network may be put into
    another layout and precision (a traced one may not).
    """

    data_type: ClassVar[str] = "images"
    tuned_parts: ClassVar[tuple[str, ...]] = ()  # of its network: what fine-tuning trains

    def __init__(
        self,
        network: torch.nn.Module,
        shown: ImageInput,
        *,
        identity: str,
        device: str,
        max_pixels: float,
        convert: bool = True,
    ) -> None:
        self._device = pick_device(device)
        self._type = torch.float32
        prepared: Any = network.eval().to(self._device)
        self._network = prepared  # exact
        self._fast = prepared  # what computes
        self._embed: Callable[[torch.Tensor], torch.Tensor] = self._embed_stepwise
        self._shown = shown
        self._max_pixels = max_pixels
        # of a row of pixels as they lie in memory: with those of a single pixel it takes ten times as long
        mean, std = (torch.tensor(one).repeat(shown.size).to(self._device) for one in (shown.mean, shown.std))
        self._scale, self._shift = 1 / (255 * std), -mean / std
        self.image_size = shown.size
        self.batch = self._batch_size()
        self.side_by_side = CORES if self._device.type == "cpu" else 1
        apart = ""
        if convert:
            self._network.requires_grad_(False).to(memory_format=torch.channels_last)
            apart = self._hasten()
            self._embed = self._in_one_call()
            self.threads = self.soonest_threads()
        recipe = f"{identity}|{shown.recipe()}|{self.precision}{apart}"
        self.fingerprint = hashlib.sha256(recipe.encode()).hexdigest()[:16]

    @abstractmethod
    def pool(self, features: torch.Tensor) -> torch.Tensor:
        """The network's output → float32 (n, dim)."""

    def prepare(self, data: bytes) -> np.ndarray:
        shown = self._shown
        return read_pixels(data, shown.size, max_pixels=self._max_pixels, resample=shown.resample)

    def encode(self, inputs: Sequence[object]) -> Float16s:
        if not inputs:
            return np.empty((0, self.dim), dtype=np.float16)
        parts = [inputs[start : start + self.batch] for start in range(0, len(inputs), self.batch)]
        with torch.inference_mode():
            encoded = [
                self._encode(torch.from_numpy(np.stack([np.asarray(one) for one in p]))) for p in parts
            ]
        return np.concatenate(encoded)

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def precision(self) -> str:
        return str(self._type).removeprefix("torch.")

    def blank_batch(self, count: int) -> torch.Tensor:
        """An input of the network (count, 3, h, w), as it takes it fastest: for measuring."""
        blank = torch.zeros(count, 3, self.image_size, self.image_size, dtype=self._type, device=self._device)
        return blank.contiguous(memory_format=torch.channels_last)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """The bare network, waited for: for measuring."""
        with torch.inference_mode():
            return self.finish(self._fast(batch))

    def finish(self, result: torch.Tensor) -> torch.Tensor:
        """The result, once it is there: a GPU answers before it has computed."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return result

    def fresh_network(self) -> Any:
        """A copy of the network on the CPU, float32, contiguous."""
        network: Any = copy.deepcopy(self._network)
        return network.cpu().float().to(memory_format=torch.contiguous_format)

    def trainable(self) -> Trainable:
        """For `model.fine_tune`; of a `tunable` encoder only."""
        return Trainable(self.fresh_network(), self.tuned_parts, self.pool, self._shown, self._max_pixels)

    def measured_dim(self) -> int:
        """Length of an embedding, found by encoding a black picture."""
        size = self._shown.size
        with torch.inference_mode():
            return self._encode(torch.zeros(1, size, size, 3, dtype=torch.uint8)).shape[1]

    def _encode(self, pixels: torch.Tensor) -> Float16s:
        """pixels: uint8 (n, h, w, 3)."""
        if self._device.type == "cuda":
            pixels = pixels.pin_memory().to(self._device, non_blocking=True)
        return self._embed(pixels).cpu().numpy()

    def _embed_stepwise(self, pixels: torch.Tensor) -> torch.Tensor:
        """pixels: uint8 (n, h, w, 3). Returns float16 (n, dim)."""
        rows, scale, shift = (one.to(self._type) for one in (pixels.flatten(2), self._scale, self._shift))
        # (n, h, w, 3) seen as (n, 3, h, w) is channels_last already
        batch = torch.addcmul(shift, rows, scale).view(pixels.shape).permute(0, 3, 1, 2)
        return self.pool(self._fast(batch)).half()

    def _in_one_call(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """`_embed_stepwise` as a single call into torch, where that gives the same.

        After each of its dozens of steps Python's lock is waited for. Where other threads decode, answer and
        learn, that takes longer than the steps themselves.
        """
        plain = self._embed_stepwise
        if self._device.type != "cpu":  # a GPU is given its work ahead, and does not wait for the lock
            return plain
        pictures = smooth_pictures(TRIED, self._shown.size)
        try:
            with without_warnings(), torch.inference_mode():
                traced = torch.jit.trace(_Steps(self._fast, plain), pictures[:2], check_trace=False)
                same = all(torch.equal(traced(one), plain(one)) for one in (pictures, pictures[:1]))
        except Exception:  # what torch cannot follow
            return plain
        return traced if same else plain

    def _hasten(self) -> str:
        """Takes the fastest way to run the network whose embeddings are faithful.

        Returns what sets them apart from the plain network's in the same precision, for the fingerprint.
        """
        pictures = smooth_pictures(TRIED, self._shown.size)
        with torch.inference_mode():
            wanted = torch.from_numpy(self._encode(pictures))
            for way in self._ways():
                try:
                    self._fast, self._type, apart = way()
                    found = np.concatenate([self._encode(pictures[:1]), self._encode(pictures[1:])])
                except Exception:  # what torch cannot follow, or its build for this processor lacks
                    continue
                if smallest_cosine(torch.from_numpy(found), wanted) >= FAITHFUL:
                    return apart
        self._fast, self._type = self._network, torch.float32
        return ""

    def _ways(self) -> Iterator[Way]:
        """The fastest first."""
        low = has_bfloat16(self._device)
        joins = self._device.type == "cpu" and torch.backends.mkldnn.is_available()
        if low and joins:
            yield lambda: self._fused(torch.bfloat16)
        if low:
            yield lambda: (copy.deepcopy(self._network).to(torch.bfloat16), torch.bfloat16, "")
        if joins:
            yield lambda: self._fused(torch.float32)

    def _fused(self, kind: torch.dtype) -> tuple[Any, torch.dtype, str]:
        side = self._shown.size
        network, is_folded = fused(self._network, kind, (self.batch, 3, side, side))
        return network, kind, "|folded" if is_folded else ""

    def soonest_threads(self) -> int:
        """Whether a single picture is encoded sooner by one core or by all, which wait for each other after
        every layer: of a small network they would do little else."""
        if self._device.type != "cpu" or CORES == 1:
            return 1
        picture = smooth_pictures(1, self._shown.size)
        seconds: dict[int, list[float]] = {1: [], CORES: []}
        for _ in range(1 + TRIALS):
            for count, times in seconds.items():
                with torch_threads(count), torch.inference_mode():
                    started = time.perf_counter()
                    self._encode(picture)
                    times.append(time.perf_counter() - started)
        return min(seconds, key=lambda count: min(seconds[count][1:]))

    def _batch_size(self) -> int:
        if self._device.type != "cuda":
            return CPU_BATCH
        free, _ = torch.cuda.mem_get_info(self._device)
        fitting = int(GPU_SHARE * free / (GPU_BYTES_PER_PIXEL * self._shown.size**2))
        return max(1, min(LARGEST_BATCH, fitting))


class _Steps(torch.nn.Module):
    """network: whose weights a tracer has to find, which `embed` uses."""

    def __init__(self, network: torch.nn.Module, embed: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.network = network
        self._embed = embed

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._embed(pixels)


def smooth_pictures(count: int, size: int) -> torch.Tensor:
    """Something with edges and slopes as photographs have them: uint8 (n, size, size, 3)."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 255
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 255)
    return smooth.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def smallest_cosine(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Of each row with its fellow."""
    return float(torch.nn.functional.cosine_similarity(found.float(), wanted.float()).min())


def pool_map(features: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) → float32 (n, 2c), the average beside the maximum; (n, d) stays as it is."""
    if features.ndim == 2:
        return features.float()
    return torch.cat([features.mean((2, 3), dtype=torch.float32), features.amax((2, 3)).float()], dim=1)
