"""A network of one's own, as an ONNX file: `model.encoder: path/to/encoder.onnx`. Needs onnxruntime.

It reads float32 (n, 3, h, w), normalised as ImageNet's networks want it, at the size its input declares, else
at `model.image_size`. Its first output is (n, dim), or a feature map (n, c, h, w), which is pooled.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.encoders.torch_images import CPU_BATCH, ImageInput
from lightbulb.errors import WeightsError
from lightbulb.items.image import read_pixels
from lightbulb.records import Float16s, Float32s


class OnnxFile(Encoder):
    name: ClassVar[str] = "onnx"
    data_type: ClassVar[str] = "images"

    def __init__(self, path: Path, *, image_size: int, device: str, max_pixels: float) -> None:
        if not path.is_file():
            raise WeightsError(f"model.encoder: there is no file {path}")
        self._session = open_session(path, device)
        declared = self._session.get_inputs()[0]
        shape = declared.shape
        if len(shape) != 4 or shape[1] not in (3, "3") or declared.type != "tensor(float)":
            raise WeightsError(
                f"model.encoder: {path} must read float32 (n, 3, height, width), not {declared.type} {shape}"
            )
        self._input = declared.name
        self._output = self._session.get_outputs()[0].name
        self.batch = 1 if shape[0] == 1 else CPU_BATCH
        self.image_size = shape[2] if isinstance(shape[2], int) else image_size
        self._shown = ImageInput(self.image_size)
        self._max_pixels = max_pixels
        self.weights_name = path.name
        recipe = f"{self.name}|{hashlib.sha256(path.read_bytes()).hexdigest()}|{self._shown.recipe()}"
        self.fingerprint = hashlib.sha256(recipe.encode()).hexdigest()[:16]
        blank = np.zeros((1, self.image_size, self.image_size, 3), dtype=np.uint8)
        try:
            self.dim = self._encode(blank).shape[1]
        except Exception as error:  # onnxruntime's own errors derive from Exception alone
            raise WeightsError(f"model.encoder: {path} gives no vectors: {error}") from error

    @classmethod
    def accepts(cls, wanted: str) -> bool:
        return wanted.endswith(".onnx")

    @classmethod
    def examples(cls) -> tuple[str, ...]:
        return ("FILE.onnx",)

    @classmethod
    def load(cls, config: Config) -> OnnxFile:
        return cls(
            Path(config.model.encoder),
            image_size=config.model.image_size,
            device=config.model.device,
            max_pixels=config.server.max_pixels,
        )

    def prepare(self, data: bytes) -> np.ndarray:
        return read_pixels(data, self.image_size, max_pixels=self._max_pixels)

    def encode(self, inputs: Sequence[object]) -> Float16s:
        parts = [np.empty((0, self.dim), dtype=np.float16)]
        for start in range(0, len(inputs), self.batch):
            part = inputs[start : start + self.batch]
            parts.append(self._encode(np.stack([np.asarray(one) for one in part])))
        return np.concatenate(parts)

    def _encode(self, pixels: np.ndarray) -> Float16s:
        """pixels: uint8 (n, h, w, 3)."""
        mean, std = (np.array(values, dtype=np.float32) for values in (self._shown.mean, self._shown.std))
        batch = ((pixels.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
        found = self._session.run([self._output], {self._input: np.ascontiguousarray(batch)})[0]
        return pooled(np.asarray(found, dtype=np.float32)).astype(np.float16)


def open_session(path: Path, device: str) -> Any:
    """Raises: WeightsError if onnxruntime is not installed or cannot read the file."""
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise WeightsError(
            f"model.encoder: {path} needs onnxruntime, which is not installed (pip install onnxruntime)"
        ) from error
    available = runtime.get_available_providers()
    wanted = (
        ["CUDAExecutionProvider", "CPUExecutionProvider"] if device != "cpu" else ["CPUExecutionProvider"]
    )
    try:
        return runtime.InferenceSession(str(path), providers=[name for name in wanted if name in available])
    except Exception as error:  # onnxruntime's own errors derive from Exception alone
        raise WeightsError(f"model.encoder: {path} is no ONNX file: {error}") from error


def pooled(features: Float32s) -> Float32s:
    """(n, c, h, w) → (n, 2c), the average beside the maximum; (n, dim) stays as it is."""
    if features.ndim == 4:
        return np.concatenate([features.mean(axis=(2, 3)), features.max(axis=(2, 3))], axis=1)
    if features.ndim != 2:
        raise ValueError(f"its output has the shape {features.shape}")
    return features
