"""A network of one's own, as a TorchScript file: `model.encoder: path/to/encoder.pt`.

It reads float32 (n, 3, h, w), normalised as ImageNet's networks want it, at `model.image_size`, and returns
(n, dim) or a feature map (n, c, h, w), which is pooled. A TorchScript file is a program: use none from people
you do not trust.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

from lightbulb.config import Config
from lightbulb.encoders.torch_images import ImageInput, TorchImages, pool_map, smooth_pictures
from lightbulb.errors import WeightsError
from lightbulb.torch_setup import torch

SUFFIXES = (".pt", ".ts", ".torchscript")


class TorchScriptFile(TorchImages):
    name: ClassVar[str] = "torchscript"

    def __init__(self, path: Path, *, image_size: int, device: str, max_pixels: float) -> None:
        if not path.is_file():
            raise WeightsError(f"model.encoder: there is no file {path}")
        load: Any = torch.jit.load
        try:
            network = load(str(path), map_location="cpu")
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise WeightsError(f"model.encoder: {path} is no TorchScript file: {reason}") from error
        super().__init__(
            network,
            ImageInput(image_size),
            identity=f"{self.name}|{hashlib.sha256(path.read_bytes()).hexdigest()}",
            device=device,
            max_pixels=max_pixels,
            convert=False,
        )
        self.weights_name = path.name
        try:
            self.dim = self.measured_dim()
            self.batch = self.batch if self._takes_several() else 1
            self.threads = self.soonest_threads()
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise WeightsError(
                f"model.encoder: {path} makes no vectors of images at {image_size} pixels: {reason}"
            ) from error

    @classmethod
    def accepts(cls, wanted: str) -> bool:
        return wanted.endswith(SUFFIXES)

    @classmethod
    def examples(cls) -> tuple[str, ...]:
        return ("FILE.pt",)

    @classmethod
    def load(cls, config: Config) -> TorchScriptFile:
        return cls(
            Path(config.model.encoder),
            image_size=config.model.image_size,
            device=config.model.device,
            max_pixels=config.server.max_pixels,
        )

    def _takes_several(self) -> bool:
        """A traced network may have one image's shape written into it."""
        pictures = smooth_pictures(2, self.image_size)
        try:
            with torch.inference_mode():
                return self._encode(pictures).shape == (2, self.dim)
        except RuntimeError:
            return False

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        if features.ndim not in (2, 4):
            raise ValueError(f"its output has the shape {tuple(features.shape)}")
        return pool_map(features)
