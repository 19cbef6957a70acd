"""Decoders: small models from embeddings to class logits, refitted on every new label. One file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.records import Bools, Float32s, Ints


class Decoder(ABC):
    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit_each(
        cls,
        embeddings: Float32s,
        targets: Ints,
        n_classes: int,
        subsets: Bools,
        pool: PoolStatistics,
        rng: np.random.Generator,
    ) -> list[Self]:
        """One decoder per row of `subsets`, fitted to the examples that row selects.

        embeddings: (n, dim). targets: class indices (n,). subsets: (n_decoders, n); a row need not
        contain every class, and a class never seen must get low, finite logits.
        """

    @abstractmethod
    def logits(self, embeddings: Float32s) -> Float32s:
        """float32 (n, dim) → float32 (n, n_classes)."""

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """All that `from_arrays` needs, for a safetensors file."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The decoder that gave these arrays. Raises: KeyError or ValueError if they don't fit."""

    @classmethod
    def fit(
        cls,
        embeddings: Float32s,
        targets: Ints,
        n_classes: int,
        pool: PoolStatistics,
        rng: np.random.Generator,
    ) -> Self:
        everything = np.ones((1, len(targets)), dtype=np.bool_)
        return cls.fit_each(embeddings, targets, n_classes, everything, pool, rng)[0]
