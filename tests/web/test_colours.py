"""Class colours stand out from the page and from each other, with any colour vision, in light and in dark."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightbulb
from lightbulb.records import Float64s

CSS = (Path(lightbulb.__file__).parent / "web" / "static" / "css" / "base.css").read_text(encoding="utf-8")
GRAPHICS_CONTRAST = 3.0  # WCAG 2.2, 1.4.11
OKABE_ITO_APART = 0.076  # the two nearest of the original palette for someone, in OKLab

# Machado, Oliveira and Fernandes 2009: linear RGB as seen without one kind of cones.
VISION = {
    "normal": np.eye(3),
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
TO_LMS = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.63]]
TO_LAB = [[0.2105, 0.7936, -0.0041], [1.978, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]


def tokens(scheme: str) -> dict[str, str]:
    """Custom properties of :root; the dark ones override the light ones."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): ([^;]+);", part)) for part in CSS.split("prefers-color-scheme: dark")
    )
    return light if scheme == "light" else {**light, **dark}


def linear(colour: str) -> Float64s:
    """ "#rrggbb" as linear RGB."""
    srgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def linear_oklch(lightness: float, chroma: float, hue: float) -> Float64s:
    lab = [lightness, chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))]
    seen: Float64s = np.linalg.solve(TO_LMS, np.linalg.solve(TO_LAB, lab) ** 3)
    return np.clip(seen, 0, 1)


def oklab(rgb: Float64s) -> Float64s:
    return np.array(TO_LAB) @ np.cbrt(np.array(TO_LMS) @ np.clip(rgb, 0, 1))


def contrast(one: Float64s, other: Float64s) -> float:
    low, high = sorted(float(np.dot([0.2126, 0.7152, 0.0722], rgb)) + 0.05 for rgb in (one, other))
    return high / low


def colours(scheme: str, count: int) -> Iterator[Float64s]:
    """As js/colours.js makes them."""
    found = tokens(scheme)
    for index in range(count):
        if index < 8:
            yield linear(found[f"class-{index}"])
        else:
            yield linear_oklch(float(found[f"class-lightness-{index % 2}"]), 0.13, index * 137.508 % 360)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_class_stands_out_from_the_page(scheme: str) -> None:
    found = tokens(scheme)
    for index, colour in enumerate(colours(scheme, 200)):
        for background in ("bg", "surface", "sunken"):
            paper = found[background]
            assert contrast(colour, linear(paper)) >= GRAPHICS_CONTRAST, (index, background)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_eight_classes_are_told_apart_with_any_colour_vision(scheme: str, vision: Any) -> None:
    seen = [oklab(np.array(VISION[vision]) @ colour) for colour in colours(scheme, 8)]
    nearest = min(float(np.linalg.norm(one - other)) for at, one in enumerate(seen) for other in seen[:at])
    assert nearest >= OKABE_ITO_APART
