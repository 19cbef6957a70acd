"""The labels there are → a model, measured, calibrated, with every item scored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lightbulb.config import Config
from lightbulb.decoders import Decoder
from lightbulb.encoders import Encoder
from lightbulb.records import Float32s, Measured, Snapshot
from lightbulb.services.catalog import CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.snapshots import make_snapshot
from lightbulb.services.suspecting import suspects_among
from lightbulb.training.fit import CalibratedClassifier, fit_classifier


def fit_snapshot(
    config: Config,
    decoder: type[Decoder],
    view: CatalogView,
    pool: EncodedPool,
    encoder: Encoder,
    version: int,
    *,
    needs: frozenset[str],
    scoring: Callable[[], None],
) -> tuple[Snapshot, CalibratedClassifier]:
    """needs: what the query strategy wants to know besides probabilities. scoring: called as that begins."""
    started = time.monotonic()
    teaching, measured = pool.teaching(view), pool.measured(view)
    train, held_out = pool.labelled(view, teaching), pool.labelled(view, measured)
    rng = np.random.default_rng(config.learning.seed)

    def unlabelled() -> Float32s:
        """What the model may teach itself with."""
        return pool.embeddings(pool.rows(view.ids[pool.self_teaching(view)]))

    fitted = fit_classifier(
        decoder, train, held_out, unlabelled, len(config.classes), pool.statistics(), rng,
        pool.unseen(view.ids[teaching]),
    )  # fmt: skip
    left_out = view.teaching & (pool.rows(view.ids) >= 0) & ~teaching
    metrics = {"fit_seconds": time.monotonic() - started, "left_out": int(left_out.sum())}
    scoring()
    snapshot = make_snapshot(
        config, view, pool, encoder, fitted.classifier, fitted.accuracy, version,
        trained_on=len(train.targets),
        voters=fitted.members if "votes" in needs else (),
        metrics=metrics,
    )  # fmt: skip
    suspects = suspects_among(
        view, pool, view.ids[teaching], fitted.out_of_fold, decoder, config.classes, config.learning.seed
    )
    snapshot = replace(
        snapshot,
        confusion=fitted.confusion,
        measured=Measured.of(view.ids[measured], held_out.targets, fitted.held_out),
        suspects=suspects,
    )
    return snapshot, fitted.classifier
