"""Views: random crops, mosaics and colours, so that a small network never sees the same input twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from lightbulb.records import Pixels
from lightbulb.torch_setup import torch

SMALLEST_AREA = 0.25  # of the picture, that a crop keeps
ASPECTS = (3 / 4, 4 / 3)
MOSAIC_SIDE = 2  # pictures across and down
GREY_SHARE = 0.05
BRIGHTNESS, CONTRAST, SATURATION = 0.3, 0.3, 0.3
CHANNEL = 0.06  # how much each colour channel's strength varies by itself


def random_crop(
    image: Image.Image, size: int, rng: np.random.Generator, *, smallest_area: float = SMALLEST_AREA
) -> Pixels:
    """uint8 (size, size, 3): a part of the picture, perhaps mirrored. smallest_area: the share it keeps."""
    width, height = image.size
    area = rng.uniform(smallest_area, 1) * width * height
    aspect = np.exp(rng.uniform(*np.log(ASPECTS)))
    wide, high = min(width, np.sqrt(area * aspect)), min(height, np.sqrt(area / aspect))
    left, top = rng.uniform(0, width - wide), rng.uniform(0, height - high)
    box = (left, top, left + wide, top + high)
    return _mirrored(image.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0), rng)


def mosaic(images: Sequence[Image.Image], size: int, rng: np.random.Generator) -> Pixels:
    """uint8 (size, size, 3): four small pictures side by side, sharp where one scaled up would be blurred."""
    out = np.empty((size, size, 3), dtype=np.uint8)
    middle = size // MOSAIC_SIDE
    edges = [slice(0, middle), slice(middle, size)]
    for index, image in enumerate(images):
        rows, columns = edges[index // MOSAIC_SIDE], edges[index % MOSAIC_SIDE]
        shape = (columns.stop - columns.start, rows.stop - rows.start)
        out[rows, columns] = _mirrored(image.resize(shape, Image.Resampling.BILINEAR), rng)
    return out


def vary_colours(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """float32 (n, 3, h, w) in 0..1 → the same range, each picture with its own light."""
    n = len(batch)

    def factor(width: float, channels: int = 1) -> torch.Tensor:
        drawn = torch.rand(n, channels, 1, 1, generator=generator) * 2 - 1
        return (1 + width * drawn).to(batch.device)

    mean = batch.mean(dim=(1, 2, 3), keepdim=True)
    batch = (batch - mean) * factor(CONTRAST) + mean * factor(BRIGHTNESS)
    grey = batch.mean(dim=1, keepdim=True)
    all_grey = (torch.rand(n, 1, 1, 1, generator=generator) < GREY_SHARE).to(batch.device)
    strength = torch.where(all_grey, torch.zeros_like(grey[:, :, :1, :1]), factor(SATURATION))
    return ((batch - grey) * strength + grey * factor(CHANNEL, 3)).clamp(0, 1)


def _mirrored(image: Image.Image, rng: np.random.Generator) -> Pixels:
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels
