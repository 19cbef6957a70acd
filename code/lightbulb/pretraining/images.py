"""Images to pretrain on, from folders and .npz files, read one at a time by any thread."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lightbulb.errors import InputError
from lightbulb.items.folder import IMAGE_SUFFIXES, scan_folder
from lightbulb.items.image import open_image
from lightbulb.records import Ints

MAX_PIXELS = 100e6
DECODED_AT_LEAST = 448  # a larger JPEG is decoded at a fraction of its size: crops are far smaller


class ImageSource(ABC):
    """name: for people. targets: class of each image int64 (n,), None if unknown. classes: their names."""

    name: str
    targets: Ints | None = None
    classes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> Image.Image:
        """Upright RGB. Raises: InputError naming the image that cannot be read."""


class FolderSource(ImageSource):
    """Every image below a folder. Its classes are the folders in it, if all images lie in one of several."""

    def __init__(self, root: Path) -> None:
        found = [file for file in scan_folder(root, IMAGE_SUFFIXES) if file.problem is None]
        if not found:
            raise InputError(f"--images: there is no image in {root}")
        self.name = str(root)
        self._root = root
        self._keys = [file.key for file in found]
        tops = [key.partition("/")[0] if "/" in key else "" for key in self._keys]
        names = sorted(set(tops))
        if len(names) >= 2 and "" not in names:
            self.classes = tuple(names)
            self.targets = np.searchsorted(names, tops).astype(np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def read(self, index: int) -> Image.Image:
        path = self._root / self._keys[index]
        try:
            return open_image(path.read_bytes(), max_pixels=MAX_PIXELS, at_least=DECODED_AT_LEAST)
        except InputError as error:
            raise InputError(f"{path}: {error.message}") from error
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error


class ArraySource(ImageSource):
    """A .npz with `images`, uint8 (n, height, width, 3), and perhaps `labels`, integers (n,)."""

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                images = arrays.get("images")
                labels = arrays.get("labels")
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"--images: {path} cannot be read: {error}") from error
        if images is None:
            raise InputError(f"--images: {path} has no array `images`")
        self._images, shape = images, images.shape
        if images.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or not shape[0]:
            found = f"{images.dtype} {shape}"
            raise InputError(f"--images: {path}: `images` must be uint8 (n, height, width, 3), not {found}")
        self.name = str(path)
        if labels is not None:
            if labels.shape != (shape[0],) or labels.dtype.kind not in "iu":
                raise InputError(f"--images: {path}: `labels` must be integers ({shape[0]},)")
            values, targets = np.unique(labels, return_inverse=True)
            self.classes, self.targets = tuple(str(value) for value in values), targets.astype(np.int64)

    def __len__(self) -> int:
        return len(self._images)

    def read(self, index: int) -> Image.Image:
        return Image.fromarray(self._images[index])


def open_sources(paths: Sequence[Path]) -> list[ImageSource]:
    """Raises: InputError for a path that is neither a folder nor an .npz file, or holds no images."""
    sources: list[ImageSource] = []
    for path in paths:
        if path.is_dir():
            sources.append(FolderSource(path))
        elif path.suffix == ".npz" and path.is_file():
            sources.append(ArraySource(path))
        else:
            raise InputError(f"--images: {path} is neither a folder nor an .npz file")
    return sources
