"""Encoders: pretrained networks that turn an item into one vector. One file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from lightbulb.config import Config
from lightbulb.records import Float16s


class Encoder(ABC):
    """A frozen network. Instances are safe to call from several threads."""

    name: ClassVar[str]
    data_type: ClassVar[str]  # what it reads: "images"
    tunable: ClassVar[bool] = False  # whether `model.fine_tune` can train its last layers
    dim: int  # length of an embedding
    threads: int = 1  # of torch's, with which it encodes a single input soonest
    side_by_side: int = 1  # batches at a time that it is fastest with, each in a thread of its own
    batch: int = 8  # inputs at a time that it is fastest with
    image_size: int  # side in pixels of what it sees
    fingerprint: str  # changes whenever the embeddings would
    weights_name: str  # which weights they are, for people
    banner: str | None = None  # a warning the user must see, such as a fallback

    @classmethod
    @abstractmethod
    def load(cls, config: Config) -> Encoder:
        """Finds the weights and builds the network.

        Raises: WeightsError if configured weights are missing or do not fit.
        """

    @classmethod
    def accepts(cls, wanted: str) -> bool:
        """Whether `model.encoder: wanted` means this class: its name, or one of the models it stands for."""
        return wanted == cls.name

    @classmethod
    def examples(cls) -> tuple[str, ...]:
        """What `model.encoder` may say to get this class, for messages."""
        return (cls.name,)

    @abstractmethod
    def prepare(self, data: bytes) -> object:
        """An item's bytes → one input of the network. Done in worker threads.

        Raises: InputError saying why the bytes cannot be read.
        """

    @abstractmethod
    def encode(self, inputs: Sequence[object]) -> Float16s:
        """Prepared inputs → embeddings, float16 (n, dim), as cached and as served."""
