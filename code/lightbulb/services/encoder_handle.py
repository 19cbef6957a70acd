"""The encoder, loaded once and late: finding its weights may wait for a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from lightbulb.config import Config
from lightbulb.encoders import Encoder

CHOOSING = ("encoder", "weights", "image_size")  # keys of `model` that make another encoder of it


class EncoderHandle:
    """named: finds the class that a config's `model.encoder` means."""

    def __init__(self, named: Callable[[str], type[Encoder]], config: Config) -> None:
        self._named = named
        self._encoder_class = named(config.model.encoder)
        self._config = config
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None

    @property
    def name(self) -> str:
        """As the config calls it."""
        return self._config.model.encoder

    @property
    def loaded(self) -> Encoder | None:
        return self._encoder

    def like(self, made_with: Mapping[str, Any]) -> EncoderHandle:
        """Of the encoder that an earlier model was made with: the keys of `model` that choose one.

        Raises: KeyError if nothing goes by its name any more.
        """
        model = self._config.model.model_copy(update={key: made_with[key] for key in CHOOSING})
        return EncoderHandle(self._named, self._config.model_copy(update={"model": model}))

    def made_with(self) -> dict[str, Any]:
        """What `like` needs to find this encoder again."""
        return {key: getattr(self._config.model, key) for key in CHOOSING}

    def get(self) -> Encoder:
        """Loads it at the first call; others wait. Raises: WeightsError, and tries again at the next call."""
        with self._lock:
            if self._encoder is None:
                self._encoder = self._encoder_class.load(self._config)
            return self._encoder
