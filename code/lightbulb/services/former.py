"""The encoder of a model that serves although the config, or a fine-tuning, means another one by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.errors import WeightsError
from lightbulb.services.catalog import CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.store.embeddings import EmbeddingCache
from lightbulb.store.items import ItemStore

log = structlog.get_logger()


@dataclass(frozen=True)
class Former:
    """pool: the items as this encoder sees them."""

    encoder: Encoder
    pool: EncodedPool

    def made(self, fingerprint: str) -> bool:
        """Whether it is the encoder with this fingerprint."""
        return self.encoder.fingerprint == fingerprint


def find_former(
    card: Mapping[str, Any], present: EncoderHandle, config: Config, items: ItemStore, view: CatalogView
) -> Former | None:
    """The encoder that a stored model was made with, if it can still be had just as it was.

    card: of the model. present: the encoder of the config.
    Raises: StoreError if its embeddings cannot be kept.
    """
    try:
        encoder = present.like(card["made_with"]).get()
    except (KeyError, WeightsError) as error:
        log.warning("encoder.former_missing", reason=str(error))
        return None
    if encoder.fingerprint != card["encoder_fingerprint"]:
        return None
    pool = EncodedPool(items, config.learning.seed)
    pool.open(EmbeddingCache(config.embeddings_directory, encoder.fingerprint, encoder.dim), view)
    return Former(encoder, pool)
