"""The encoder, loaded once and late: finding its weights may wait for a network."""

from __future__ import annotations

import threading

from lightbulb.config import Config
from lightbulb.encoders import Encoder


class EncoderHandle:
    def __init__(self, encoder: type[Encoder], config: Config) -> None:
        self._encoder_class = encoder
        self._config = config
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None

    @property
    def name(self) -> str:
        return self._encoder_class.name

    @property
    def loaded(self) -> Encoder | None:
        return self._encoder

    def get(self) -> Encoder:
        """Loads it at the first call; others wait. Raises: WeightsError, and tries again at the next call."""
        with self._lock:
            if self._encoder is None:
                self._encoder = self._encoder_class.load(self._config)
            return self._encoder
