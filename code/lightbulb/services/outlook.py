"""When to stop: what the next labels are likely to bring, and what is left to do."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lightbulb.records import ActionKind, Snapshot
from lightbulb.services.catalog import Catalog
from lightbulb.store.labels import LabelStore
from lightbulb.store.models import ModelHistory
from lightbulb.training.forecast import Forecast, forecast

REFIT = 0.02  # share of new labels from which on the learning curve is fitted anew
ANSWERS_PER_ERROR = 2.0  # answers that each wrong prediction among the unlabelled items costs in the end


@dataclass(frozen=True)
class Outlook:
    """gain: what the next labels are likely to add to the accuracy; None while the curve is too short.

    actions_left: key presses and clicks until everything is labelled or certified. minutes_left: the time
    they take at this annotator's pace, with looking at the proposals. None before there is a model.
    """

    gain: Forecast | None
    actions_left: int | None
    minutes_left: float | None


class Outlooks:
    def __init__(
        self,
        catalog: Catalog,
        snapshot: Callable[[], Snapshot | None],
        history: ModelHistory,
        labels: LabelStore,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self._catalog = catalog
        self._snapshot = snapshot
        self._history = history
        self._labels = labels
        self._batch_size = batch_size
        self._seed = seed
        self._lock = threading.Lock()
        self._gain: tuple[Snapshot, Forecast | None] | None = None  # with the model it was fitted for

    def now(self) -> Outlook:
        snapshot = self._snapshot()
        if snapshot is None:
            return Outlook(None, None, None)
        answers, looked_at, batches = self._left(snapshot)
        return Outlook(self._forecast(snapshot), answers + batches, self._minutes(answers, looked_at))

    def _left(self, snapshot: Snapshot) -> tuple[int, int, int]:
        """(items that will be answered one by one, items looked at in batches, batches).

        The model errs on as many items as its calibrated probabilities say. Each of those costs an answer,
        and as a rule of thumb one more is asked that it gets right after all. The others come in batches.
        """
        view = self._catalog.view
        rows = snapshot.rows_of(view.ids[view.askable])
        unscored = int((rows < 0).sum())
        errors = float((1 - snapshot.scores[rows[rows >= 0]].astype(np.float64)).sum())
        left = len(rows) - unscored
        answers = min(left, math.ceil(ANSWERS_PER_ERROR * errors)) + unscored
        looked_at = len(rows) - answers
        batches = math.ceil(looked_at / self._batch_size) + len(snapshot.classes) if looked_at else 0
        return answers, looked_at, min(batches, looked_at)

    def _minutes(self, answers: int, looked_at: int) -> float | None:
        """None while no pace is known; until a batch was confirmed, looking takes as long as answering."""
        answering = self._labels.pace(ActionKind.LABEL)
        if answering is None:
            return None
        looking = self._labels.pace(ActionKind.BATCH)
        return round((answers * answering + looked_at * (answering if looking is None else looking)) / 60, 1)

    def _forecast(self, snapshot: Snapshot) -> Forecast | None:
        with self._lock:
            if self._gain is None or not _much_alike(self._gain[0], snapshot):
                rows = [row for row in self._history.rows() if row["accuracy"] is not None]
                rows = [row for row in rows if row["encoder_fingerprint"] == snapshot.encoder_fingerprint]
                rows.sort(key=lambda row: (row["labels"], row["version"]))
                found = forecast(
                    np.array([row["labels"] for row in rows], dtype=np.int64),
                    np.array([row["accuracy"] for row in rows], dtype=np.float64),
                    np.array([row["n"] for row in rows], dtype=np.int64),
                    np.random.default_rng(self._seed),
                )
                self._gain = (snapshot, found)
            return self._gain[1]


def _much_alike(fitted: Snapshot, snapshot: Snapshot) -> bool:
    """Whether the learning curves of the two are so. To fit one takes a second, and answers come faster."""
    same_encoder = fitted.encoder_fingerprint == snapshot.encoder_fingerprint
    new_labels = abs(snapshot.labels - fitted.labels)
    return fitted is snapshot or (same_encoder and 0 < new_labels <= REFIT * fitted.labels)
