"""Scoring alone: the last model, or the one chosen to serve, and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from lightbulb.config import Config
from lightbulb.errors import NotReady, StoreError
from lightbulb.records import Accuracy, Snapshot
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.services.fetching import make_fetcher
from lightbulb.services.plugins import DECODERS, TASKS, encoder_named
from lightbulb.services.scoring import Scoring
from lightbulb.store.models import ModelFolder
from lightbulb.tasks import Task
from lightbulb.training.fit import CalibratedClassifier


@dataclass(frozen=True)
class Production:
    """No dataset, no database, no training."""

    config: Config
    task: Task
    scoring: Scoring
    snapshot: Snapshot

    def stop(self) -> None:
        self.scoring.stop()


def open_production(config: Config) -> Production:
    """Raises: StoreError if there is no model, or it does not fit the config; NotFound if the chosen one is
    gone.
    """
    task = TASKS[f"{config.dataset.data_type}/{config.label.type}"](config.classes)
    models = ModelFolder(config.model_directory, keep=config.model.keep)
    pinned = models.pinned()
    stored = models.last_good() if pinned is None else models.load(pinned)
    if stored is None:
        raise StoreError(f"model.directory: {config.model_directory} holds no model; label some items first")
    card = stored.card
    encoder = EncoderHandle(encoder_named, config, tuned=card.get("made_with", {}).get("tuned"))
    if encoder.get().fingerprint != card["encoder_fingerprint"]:
        raise StoreError(
            f"model.encoder: model {stored.version} was made with {card['encoder']} ({card['weights']}) at "
            f"{card['image_size']} pixels, but the config means {encoder.name} "
            f"({encoder.get().weights_name}) at {encoder.get().image_size}"
        )
    if tuple(card["classes"]) != config.classes:
        raise StoreError(f"label.classes: model {stored.version} knows {card['classes']}")
    classifier = CalibratedClassifier.from_arrays(DECODERS[card["decoder"]], stored.arrays)
    n_classes = len(config.classes)
    snapshot = Snapshot(
        version=stored.version,
        classifier=classifier,
        classes=config.classes,
        trained_on=card["trained_on"],
        labels=card["labels"],
        labels_revision=0,
        encoder_fingerprint=card["encoder_fingerprint"],
        item_ids=np.empty(0, dtype=np.int64),
        probs=np.empty((0, n_classes), dtype=np.float32),
        thresholds=np.array(card["thresholds"], dtype=np.float32),
        accuracy=Accuracy(**card["accuracy"]) if card["accuracy"] else None,
        temperature=classifier.temperature,
        published_at=time.time(),
        metrics=card["metrics"],
    )
    scoring = Scoring(
        lambda: snapshot, lambda _: encoder.get(), make_fetcher(config), lambda: NotReady("no model")
    )
    return Production(config, task, scoring, snapshot)
