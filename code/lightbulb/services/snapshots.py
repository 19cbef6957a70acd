"""Snapshots: a classifier and all that follows from it for the pool; and the card that brings one back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lightbulb.autolabel.propose import class_thresholds
from lightbulb.config import Config
from lightbulb.encoders import Encoder
from lightbulb.records import Accuracy, Float32s, Ints, Measured, Snapshot, Suspect
from lightbulb.services.catalog import CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.store.models import StoredModel
from lightbulb.training.fit import CalibratedClassifier

SCORING_CHUNK = 8192
NEVER = np.float32(2.0)  # a threshold that no probability reaches
MEASURED = "measured."  # before the names of arrays that are not the classifier's


def make_snapshot(
    config: Config,
    view: CatalogView,
    pool: EncodedPool,
    encoder: Encoder,
    classifier: CalibratedClassifier,
    accuracy: Accuracy | None,
    version: int,
    *,
    trained_on: int,
    metrics: Mapping[str, float],
    voters: Sequence[CalibratedClassifier] = (),
) -> Snapshot:
    """The snapshot of a classifier: what is encoded of the pool, scored with it.

    encoder: the one whose embeddings the pool holds. voters: an ensemble that scores it as well.
    """
    rows = pool.rows(view.ids)
    encoded = rows >= 0
    n_classes = len(config.classes)
    probs = score(classifier, pool, rows[encoded], n_classes)
    votes = [score(voter, pool, rows[encoded], n_classes) for voter in voters]
    # Before the accuracy is measured nothing vouches for the model's confidence: it proposes nothing.
    allowed = view.allowed_proposals(view.ids[encoded], probs.argmax(axis=1).astype(np.int64))
    measured = accuracy.n if accuracy is not None else 0
    thresholds = class_thresholds(probs, allowed, config.auto_label.confidence, view.doubts, measured)
    return Snapshot(
        version=version,
        classifier=classifier,
        classes=config.classes,
        trained_on=trained_on,
        labels=int((view.labelled & encoded).sum()),
        labels_revision=view.revision,
        encoder_fingerprint=encoder.fingerprint,
        item_ids=view.ids[encoded],
        probs=probs,
        votes=np.stack(votes) if votes else None,
        thresholds=thresholds if accuracy is not None else np.full_like(thresholds, NEVER),
        accuracy=accuracy,
        temperature=classifier.temperature,
        published_at=time.time(),
        metrics=metrics,
        recalled=view.recalled,
    )


def score(classifier: CalibratedClassifier, pool: EncodedPool, rows: Ints, n_classes: int) -> Float32s:
    """float32 (len(rows), n_classes), a chunk at a time: a pool may be larger than memory."""
    scored = [np.empty((0, n_classes), dtype=np.float32)]
    for start in range(0, len(rows), SCORING_CHUNK):
        scored.append(classifier.probabilities(pool.embeddings(rows[start : start + SCORING_CHUNK])))
    return np.concatenate(scored)


def arrays_of(snapshot: Snapshot, classifier: CalibratedClassifier) -> dict[str, np.ndarray]:
    """What is kept of a snapshot in numbers: its classifier, and the items it was measured on."""
    measured = vars(snapshot.measured) if snapshot.measured is not None else {}
    return {**classifier.arrays(), **{MEASURED + name: values for name, values in measured.items()}}


def card_of(
    snapshot: Snapshot, view: CatalogView, config: Config, encoder: EncoderHandle, decoder: str
) -> dict[str, Any]:
    """What is kept of a snapshot beside its arrays, for `snapshot_of` and for people."""
    loaded, accuracy = encoder.get(), snapshot.accuracy
    return {
        "task": f"{config.dataset.data_type}/{config.label.type}",
        "classes": list(snapshot.classes),
        "encoder": encoder.name,
        "weights": loaded.weights_name,
        "image_size": loaded.image_size,
        "made_with": encoder.made_with(),
        "encoder_fingerprint": loaded.fingerprint,
        "decoder": decoder,
        "temperature": snapshot.temperature,
        "thresholds": [float(threshold) for threshold in snapshot.thresholds],
        "accuracy": accuracy and vars(accuracy),
        "confusion": None if snapshot.confusion is None else snapshot.confusion.tolist(),
        "suspects": [vars(one) for one in snapshot.suspects],
        "recalled": snapshot.recalled,
        "labels": snapshot.labels,
        "trained_on": snapshot.trained_on,
        "last_action": view.last_action,
        "metrics": dict(snapshot.metrics),
    }


def snapshot_of(
    stored: StoredModel,
    config: Config,
    view: CatalogView,
    pool: EncodedPool,
    encoder: Encoder,
    classifier: CalibratedClassifier,
) -> Snapshot:
    """A stored model's snapshot, with the pool as it is now. Cards of earlier releases have fewer keys."""
    card = stored.card
    accuracy = Accuracy(**card["accuracy"]) if card["accuracy"] else None
    scored = make_snapshot(
        config, view, pool, encoder, classifier, accuracy, stored.version,
        trained_on=card["trained_on"], metrics=card["metrics"],
    )  # fmt: skip
    confusion = card.get("confusion")
    measured = {
        name.removeprefix(MEASURED): values
        for name, values in stored.arrays.items()
        if name.startswith(MEASURED)
    }
    return replace(
        scored,
        labels=card["labels"],
        confusion=None if confusion is None else np.array(confusion, dtype=np.int64),
        measured=Measured(**measured) if measured else None,
        suspects=tuple(Suspect(**one) for one in card.get("suspects", [])),
        recalled=card.get("recalled", 0),
    )
