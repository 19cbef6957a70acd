"""Drawn shapes: 4,000 pictures of ten shapes, one in twenty of them honestly ambiguous.

An ambiguous picture blends two shapes, and its label is that of either by chance: no model can know.
Made to put promises about accuracy to the test, where some of what looks certain is wrong.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from lightbulb.datasets import DatasetRecipe
from lightbulb.datasets.folder import anonymous_names, is_complete, remove_leftovers, write_truth
from lightbulb.files import write_atomically
from lightbulb.records import Float64s

N_SHAPES = 4000
AMBIGUOUS = 0.05  # share of pictures that blend two shapes
SIZE = 64  # pixels, width and height
SEED = 0  # changing it makes other pictures
Outline = Float64s  # (n, 2), corners around the origin, within the unit circle


def regular(corners: int) -> Outline:
    angles = 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def star(points: int, waist: float) -> Outline:
    outline = regular(2 * points)
    outline[1::2] *= waist
    return outline


def bars(arms: list[tuple[float, float]]) -> Outline:
    return np.array(arms, dtype=np.float64)


OUTLINES: dict[str, Outline] = {
    "arrow": bars([(1, 0), (0.1, 0.7), (0.1, 0.3), (-0.9, 0.3), (-0.9, -0.3), (0.1, -0.3), (0.1, -0.7)]),
    "circle": regular(60),
    "cross": bars([(0.3, 0.9), (0.3, 0.3), (0.9, 0.3), (0.9, -0.3), (0.3, -0.3), (0.3, -0.9), (-0.3, -0.9),
                   (-0.3, -0.3), (-0.9, -0.3), (-0.9, 0.3), (-0.3, 0.3), (-0.3, 0.9)]),
    "crescent": np.concatenate([regular(60)[:46], 0.72 * regular(60)[45::-1] + np.array([0.3, -0.3])]),
    "hexagon": regular(6),
    "rectangle": bars([(0.95, 0.35), (-0.95, 0.35), (-0.95, -0.35), (0.95, -0.35)]),
    "spikes": star(9, 0.45),
    "square": regular(4),
    "star": star(5, 0.4),
    "triangle": regular(3),
}  # fmt: skip


class Shapes(DatasetRecipe):
    name = "shapes"
    summary = "4,000 drawn shapes of ten kinds, 5% of them ambiguous; no download"

    def make(self, root: Path) -> None:
        if is_complete(root, self.name, N_SHAPES):
            return
        names = anonymous_names([".png"] * N_SHAPES, SEED)
        directory = root / self.name
        directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(directory)
        truth = {}
        for index, name in enumerate(names):
            rng = np.random.default_rng([SEED, index])
            label, other = rng.permutation(list(OUTLINES))[:2]
            blended = str(other) if rng.random() < AMBIGUOUS else None
            truth[name] = str(label)
            if not (directory / name).exists():
                write_atomically(directory / name, picture(str(label), blended, rng))
        write_truth(root, self.name, truth)


def picture(label: str, blended: str | None, rng: np.random.Generator) -> bytes:
    """A PNG of 64 x 64: the shape in a random place, size, turn and colour, on a noisy ground."""
    from PIL import Image

    ground = rng.uniform(0, 255, 3)
    colour = (ground + rng.uniform(90, 165, 3)) % 256
    mask = drawn(OUTLINES[label], rng)
    if blended is not None:
        mask = 0.5 * mask + 0.5 * drawn(OUTLINES[blended], rng)
    pixels = ground + mask[:, :, None] * (colour - ground) + rng.normal(0, 18, (SIZE, SIZE, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, format="PNG")
    return file.getvalue()


def drawn(outline: Outline, rng: np.random.Generator) -> Float64s:
    """The filled outline, float64 (SIZE, SIZE) in 0..1, smoothed by drawing it larger."""
    from PIL import Image, ImageDraw

    radius, turn = rng.uniform(0.26, 0.44), rng.uniform(0, 2 * np.pi)
    centre = rng.uniform(radius, 1 - radius, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = (centre + radius * outline @ rotation.T) * SIZE * 4
    canvas = Image.new("L", (SIZE * 4, SIZE * 4))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in corners], fill=255)
    small = canvas.resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255
