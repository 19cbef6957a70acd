"""Batches of views, made ahead of the network by threads: reading and scaling let go of the interpreter."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray
from PIL import Image

from lightbulb.errors import InputError
from lightbulb.pretraining.augment import MOSAIC_SIDE, mosaic, random_crop
from lightbulb.pretraining.images import ImageSource
from lightbulb.records import Ints

log = structlog.get_logger()

AHEAD = 3  # batches in the making
MOSAIC_SHARE = 0.5  # of the pictures that are smaller than a view
TRIES = 20  # pictures drawn before a source counts as unreadable


@dataclass(frozen=True)
class Batch:
    """views: uint8 (n_views, n, size, size, 3). targets: class of each picture int64 (n,), -1 if unknown."""

    views: NDArray[np.uint8]
    targets: Ints


@dataclass(frozen=True)
class Recipe:
    """size: side of a view. batch: pictures. views: of each one. mosaics: whether four may share a view."""

    size: int
    batch: int
    views: int
    mosaics: bool


class Batches:
    """Endless batches; every source gives an equal share of the pictures, however few it has.

    The batch of a step depends on the seed and the step alone, so a resumed run sees what it would have seen.
    """

    def __init__(self, sources: Sequence[ImageSource], recipe: Recipe, seed: int, workers: int) -> None:
        self._sources = sources
        self._recipe = recipe
        self._seed = seed
        self._workers = workers

    def starting_at(self, step: int) -> Iterator[Batch]:
        with ThreadPoolExecutor(self._workers, thread_name_prefix="views") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                while True:
                    while len(waiting) < AHEAD:
                        waiting.append(pool.submit(self.make, step))
                        step += 1
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def make(self, step: int) -> Batch:
        rng = np.random.default_rng([self._seed, step])
        made = [
            self._views(self._sources[int(rng.integers(len(self._sources)))], rng)
            for _ in range(self._recipe.batch)
        ]
        targets = np.array([target for _, target in made], dtype=np.int64)
        return Batch(np.stack([views for views, _ in made], axis=1), targets)

    def _views(self, source: ImageSource, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        size = self._recipe.size
        image, target = _draw(source, rng)
        if self._recipe.mosaics and min(image.size) < size and rng.random() < MOSAIC_SHARE:
            others = [_draw(source, rng)[0] for _ in range(MOSAIC_SIDE**2 - 1)]
            return mosaic([image, *others], size, rng)[None], -1
        return np.stack([random_crop(image, size, rng) for _ in range(self._recipe.views)]), target


def _draw(source: ImageSource, rng: np.random.Generator) -> tuple[Image.Image, int]:
    """A picture and its class. Raises: InputError if one after the other cannot be read."""
    problem: InputError | None = None
    for _ in range(TRIES):
        index = int(rng.integers(len(source)))
        try:
            return source.read(index), -1 if source.targets is None else int(source.targets[index])
        except InputError as error:
            log.warning("pretrain.unreadable", problem=error.message)
            problem = error
    assert problem is not None
    raise problem
