"""Handwritten digits: 1,797 small scans that come with scikit-learn, so no download is needed.

E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository (the test half), as `sklearn.datasets.load_digits` ships them.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from lightbulb.datasets import DatasetRecipe
from lightbulb.datasets.folder import (
    anonymous_names,
    is_complete,
    remove_leftovers,
    write_truth,
)
from lightbulb.files import write_atomically

N_DIGITS = 1797
SIZE = 64  # pixels, width and height of an item
INK_MAX = 16  # the scans' brightest value
SEED = 0  # of the shuffle; changing it renames every item


class Digits(DatasetRecipe):
    name = "digits"
    summary = "1,797 handwritten digits, 0 to 9; no download"

    def make(self, root: Path) -> None:
        if is_complete(root, self.name, N_DIGITS):
            return
        from sklearn.datasets import load_digits

        scans, labels = load_digits(return_X_y=True)
        names = anonymous_names([".png"] * len(scans), SEED)
        directory = root / self.name
        directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(directory)
        for name, scan in zip(names, scans.reshape(-1, 8, 8), strict=True):
            # Existing files are whole, being renamed into place: an interrupted run goes on.
            if not (directory / name).exists():
                write_atomically(directory / name, png_of(scan))
        write_truth(root, self.name, {name: str(label) for name, label in zip(names, labels, strict=True)})


def png_of(scan: np.ndarray) -> bytes:
    """scan: float (8, 8) in 0..16, bright ink on black. A greyscale PNG of 64 x 64, smoothly enlarged."""
    from PIL import Image

    grey = np.round(scan * (255 / INK_MAX)).astype(np.uint8)
    enlarged = Image.fromarray(grey).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    enlarged.save(file, format="PNG")
    return file.getvalue()
