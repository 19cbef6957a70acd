"""The encoder, loaded once and late: finding its weights may wait for a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.store.tuned import tuned_path

CHOOSING = ("encoder", "weights", "image_size")  # keys of `model` that make another encoder of it


class EncoderHandle:
    """named: finds the class that a config's `model.encoder` means. tuned: name of the fine-tuned weights to
    load instead of the config's, beside the models."""

    def __init__(
        self, named: Callable[[str], type[Encoder]], config: Config, *, tuned: str | None = None
    ) -> None:
        self._named = named
        self._encoder_class = named(config.model.encoder)
        self._config = config
        self.tuned_name = tuned
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
        config = self._config.model_copy(update={"model": model})
        return EncoderHandle(self._named, config, tuned=made_with.get("tuned"))

    def tuned(self, name: str) -> EncoderHandle:
        """The same encoder with fine-tuned weights."""
        return EncoderHandle(self._named, self._config, tuned=name)

    def made_with(self) -> dict[str, Any]:
        """What `like` needs to find this encoder again."""
        return {**{key: getattr(self._config.model, key) for key in CHOOSING}, "tuned": self.tuned_name}

    def get(self) -> Encoder:
        """Loads it at the first call; others wait. Raises: WeightsError, and tries again at the next call."""
        with self._lock:
            if self._encoder is None:
                self._encoder = self._encoder_class.load(self._loaded_config())
            return self._encoder

    def _loaded_config(self) -> Config:
        if self.tuned_name is None:
            return self._config
        path = tuned_path(self._config.model_directory, self.tuned_name)
        model = self._config.model.model_copy(update={"weights": str(path)})
        return self._config.model_copy(update={"model": model})
