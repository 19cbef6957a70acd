"""Photographs to measure with: from a folder, or drawn, so that nothing has to be downloaded."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from lightbulb.errors import InputError
from lightbulb.items.folder import IMAGE_SUFFIXES, scan_folder

WIDTH, HEIGHT, JPEG_QUALITY = 422, 371, 90  # as the photographs of cats and dogs are on average
PHOTOGRAPHS = 32
COARSEST, FINEST = 3, 192  # cells across: shapes as large as the picture, and texture


def read_images(folder: Path) -> list[bytes]:
    """Raises: InputError if there are none."""
    found = [file for file in scan_folder(folder, IMAGE_SUFFIXES) if file.problem is None]
    if not found:
        raise InputError(f"--images {folder}: no images there")
    return [(folder / file.key).read_bytes() for file in found]


def synthetic_photographs(rng: np.random.Generator) -> list[bytes]:
    """JPEGs with shapes and textures of all sizes, which is what decoding costs on a real photograph."""
    return [encode_jpeg(draw_picture(rng)) for _ in range(PHOTOGRAPHS)]


def draw_picture(rng: np.random.Generator) -> Image.Image:
    """Noise in octaves, each half as strong as the coarser one before: about the spectrum of photographs."""
    picture = np.full((HEIGHT, WIDTH, 3), 128.0)
    cells, strength = COARSEST, 64.0
    while cells <= FINEST:
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        octave = Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        picture += (np.asarray(octave, dtype=np.float64) - 128) / 128 * strength
        cells, strength = 2 * cells, strength / 2
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def encode_jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
