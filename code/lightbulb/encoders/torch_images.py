"""What every torch network for images shares: pixels in, embeddings out, as fast as the machine allows.

Tried on one CPU core with SqueezeNet 1.1 at 224 pixels (`lightbulb bench encode` tries it again):
channels_last halves the time, bfloat16 takes another third off where the processor computes in it, with
embeddings of cosine similarity over 0.999 to float32's. TorchScript's optimiser was slower.
"""

from __future__ import annotations

import copy
import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from lightbulb.encoders import Encoder
from lightbulb.items.image import PIXELS_VERSION, read_pixels
from lightbulb.records import Float16s
from lightbulb.torch_setup import has_bfloat16, pick_device, torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CPU_BATCH = 32  # images; more does not pay on a processor, and holds more memory
GPU_BYTES_PER_PIXEL = 1200  # of activations, reckoned generously
GPU_SHARE = 0.5  # of its free memory, for one batch
LARGEST_BATCH = 512
FAITHFUL = 0.999  # cosine similarity to float32's embeddings that a lower precision has to keep
TRIED = 4  # pictures that it is tried on


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
        self._network = prepared
        self._shown = shown
        self._max_pixels = max_pixels
        mean, std = (
            torch.tensor(values).view(1, 3, 1, 1).to(self._device) for values in (shown.mean, shown.std)
        )
        self._scale, self._shift = 1 / (255 * std), -mean / std
        self.image_size = shown.size
        self.batch = self._batch_size()
        if convert:
            self._network.to(memory_format=torch.channels_last)
            self._lower_precision()
        recipe = f"{identity}|{shown.recipe()}|{self.precision}"
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
            return self.finish(self._network(batch))

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
        # (n, h, w, 3) seen as (n, 3, h, w) is channels_last already
        batch = pixels.permute(0, 3, 1, 2).to(self._type)
        scale, shift = self._scale.to(self._type), self._shift.to(self._type)
        pooled = self.pool(self._network(torch.addcmul(shift, batch, scale)))
        return pooled.float().cpu().numpy().astype(np.float16)

    def _lower_precision(self) -> None:
        """Goes over to bfloat16 where that is fast, and this network's embeddings hardly change by it."""
        if not has_bfloat16(self._device):
            return
        exact, size = self._network, self._shown.size
        coarse = torch.rand(TRIED, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 255
        smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 255)
        pixels = smooth.permute(0, 2, 3, 1).to(torch.uint8).contiguous()
        with torch.inference_mode():
            wanted = torch.from_numpy(self._encode(pixels).astype(np.float32))
            self._network, self._type = copy.deepcopy(exact).to(torch.bfloat16), torch.bfloat16
            found = torch.from_numpy(self._encode(pixels).astype(np.float32))
        if float(torch.nn.functional.cosine_similarity(found, wanted).min()) < FAITHFUL:
            self._network, self._type = exact, torch.float32

    def _batch_size(self) -> int:
        if self._device.type != "cuda":
            return CPU_BATCH
        free, _ = torch.cuda.mem_get_info(self._device)
        fitting = int(GPU_SHARE * free / (GPU_BYTES_PER_PIXEL * self._shown.size**2))
        return max(1, min(LARGEST_BATCH, fitting))


def pool_map(features: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) → float32 (n, 2c), the average beside the maximum; (n, d) stays as it is."""
    if features.ndim == 2:
        return features.float()
    return torch.cat([features.mean((2, 3), dtype=torch.float32), features.amax((2, 3)).float()], dim=1)
