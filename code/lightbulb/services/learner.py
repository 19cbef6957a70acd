"""The one background thread: encoding → fit → evaluate → calibrate → rescore → publish.

`step` does one piece of work and says whether there was any; the thread calls it for ever, and
`simulate` calls it by hand. Whatever goes wrong in a step is logged, shown in the status and tried
again; labels never depend on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import structlog

from lightbulb.config import Config
from lightbulb.decoders import Decoder
from lightbulb.encoders import Encoder
from lightbulb.errors import LightBulbError, NotReady
from lightbulb.records import Bools, Snapshot
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.services.encoding import Encoding
from lightbulb.services.fitting import fit_snapshot
from lightbulb.services.former import Former, find_former
from lightbulb.services.serving import Serving
from lightbulb.services.snapshots import arrays_of, card_of, snapshot_of
from lightbulb.services.tuning import Promotion, Tuning
from lightbulb.services.worker import Worker
from lightbulb.store.embeddings import EmbeddingCache
from lightbulb.store.items import ItemStore
from lightbulb.store.models import ModelFolder, ModelHistory, StoredModel
from lightbulb.store.tuned import TunedFolder
from lightbulb.training.fit import CalibratedClassifier

log = structlog.get_logger()

RESCORE_SECONDS = 20.0  # while encoding, how often what is new joins the scored pool
UNDECIDED = -1  # what is followed before the first model was looked for: no version, nor the newest


@dataclass(frozen=True)
class LearnerStatus:
    """state: off, idle, encoding, training, scoring or tuning. progress: of the tuning, else of the encoding.

    active: new answers are being learnt from. encoded, total: items.
    """

    state: str
    active: bool
    progress: float
    error: str | None
    encoded: int
    total: int


@dataclass(frozen=True)
class Needed:
    """What is missing before there can be a first model."""

    labels_missing: int
    message: str


class Learner:
    """locate: the file of an item's key. needs: what the query strategy wants to know of a model besides its
    probabilities. serving: while a person has chosen the model that serves, none is trained.

    on_progress(done, total) is called as items are encoded. train=False: serve the last model only.
    """

    def __init__(
        self,
        config: Config,
        locate: Callable[[str], Path],
        encoder: EncoderHandle,
        decoder: type[Decoder],
        catalog: Catalog,
        items: ItemStore,
        encoded: EncodedPool,
        models: ModelFolder,
        history: ModelHistory,
        tuned: TunedFolder,
        serving: Serving,
        *,
        needs: frozenset[str] = frozenset(),
        train: bool = True,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._config = config
        self._locate = locate
        self._encoder = encoder
        self._decoder = decoder
        self._catalog = catalog
        self._items = items
        self._models = models
        self._history = history
        self._tuned = tuned
        self._tuning: Tuning | None = None
        if train and config.model.fine_tune:
            self._tuning = Tuning(config, encoder, decoder, locate, items, tuned)
        self._serving = serving
        self._followed: int | None = UNDECIDED  # the choice that the snapshot follows; None: the newest
        self._train = train
        self._on_progress = on_progress
        self._encoded = encoded
        self._needs = needs
        self._snapshot: Snapshot | None = None
        self._published = threading.Condition()
        self._items_revision = -1
        self._encoding = Encoding(locate, catalog, items, seed=config.learning.seed)
        self._fitted: CatalogView | None = None  # the labels that the snapshot knows
        self._former: Former | None = None  # of a snapshot made before the config named another encoder
        self._unscored = 0
        self._scored_at = 0.0
        self._state = "idle" if train else "off"
        self.banner: str | None = None
        self._worker = Worker("learner", self.step, self._step_failed)

    # --- what others see -------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot | None:
        return self._snapshot

    @property
    def encoded(self) -> EncodedPool:
        """The items as the present encoder sees them: another one after its fine-tuning."""
        return self._encoded

    def status(self) -> LearnerStatus:
        encoded, total = self._pool_to_encode().count, int((~self._catalog.view.broken).sum())
        learns = self._train and self._worker.error is None and self._serving.pinned is None
        active = learns and (self._snapshot is not None or self.needed() is None)
        progress = min(1.0, encoded / total) if total else 1.0
        if self._tuning is not None and self._state == "tuning":
            progress = self._tuning.progress
        return LearnerStatus(self._state, active, progress, self._worker.error, encoded, total)

    def needed(self) -> Needed | None:
        """What people have to give before the first model, or None if it is enough."""
        view = self._catalog.view
        total = int(view.labelled.sum())
        missing = self._config.learning.start_after - total
        if missing > 0:
            return Needed(missing, f"{missing} more {_labels(missing)} needed")
        teaching = view.labels[view.teaching]
        if len(np.unique(teaching)) < 2:
            return Needed(1, "1 more label needed, of another class than those so far")
        return None

    def encoder_of(self, snapshot: Snapshot) -> Encoder:
        """The encoder that a snapshot's classifier reads.

        Raises: WeightsError; NotReady if it was let go of since: another's embeddings would score nonsense.
        """
        former, fingerprint = self._former, snapshot.encoder_fingerprint
        if former is not None and former.made(fingerprint):
            return former.encoder
        if self._encoder.get().fingerprint == fingerprint:
            return self._encoder.get()
        raise NotReady("another model has just begun to serve; try again", code="model_changed")

    def unscored_by_former(self) -> bool:
        """Whether a former encoder's model serves, and has not scored all that is open."""
        view, snapshot = self._catalog.view, self._snapshot
        if snapshot is None or not self._served_by_former():
            return False
        return bool((snapshot.rows_of(view.ids[view.askable]) < 0).any())

    def wait_for(self, condition: Callable[[Snapshot], bool], timeout: float) -> Snapshot | None:
        """The first snapshot from now on that meets the condition; None after `timeout` seconds."""
        with self._published:
            self._published.wait_for(
                lambda: self._snapshot is not None and condition(self._snapshot), timeout=timeout
            )
            found = self._snapshot
        return found if found is not None and condition(found) else None

    # --- the thread ------------------------------------------------------------------------------

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        if self._worker.stop():
            self._encoding.begin_anew()  # else its threads would go on, and the process end only after them

    def wake(self) -> None:
        """There may be something to do."""
        self._worker.wake()

    def _step_failed(self) -> None:
        self._encoding.begin_anew()
        self._state = "idle"

    def step(self) -> bool:
        """One piece of work, at most about a second of it; False if there is none."""
        if self._encoded.cache is None:
            self._open()
            return True
        view = self._catalog.view
        if view.items_revision != self._items_revision:
            self._take_stock(view)
            return True
        if self._serving.pinned != self._followed or self._chosen_is_stale(view):
            self._change_over()
            return True
        if self._train and self._labels_changed(view) and self._can_fit(view):
            self._fit(view)
        elif self._train and self._pool_to_encode().n_pending:
            self._encode_chunk(view)
        elif self._train and self._unscored and self._can_fit(view):
            self._fit(view)
        elif self._tuned_further(view):
            self._state = "tuning"
        else:
            self._state = "idle" if self._train else "off"
            return False
        return True

    def encode_step(self) -> bool:
        """As `step`, but encodes only; False when everything is encoded."""
        if self._encoded.cache is None:
            self._open()
        elif self._pool_to_encode().n_pending:
            self._encode_chunk(self._catalog.view)
        else:
            return False
        return True

    # --- steps -----------------------------------------------------------------------------------

    def _open(self) -> None:
        """Loads the encoder and serves the last model at once, or the one that a person chose."""
        if not self._train and not self._models.versions():
            self._encoder_less()
            return
        self._state = "encoding" if self._train else "off"
        encoder = self._encoder.get()
        self.banner = encoder.banner
        stored = self._models.last_good()
        self._tuned.prune(self._models.tuned())
        if self._tuning is not None:
            self._encoder, self._encoded = self._tuning.at_start(stored, self._catalog.view)
            encoder = self._encoder.get()
        log.info("encoder.loaded", encoder=encoder.name, weights=encoder.weights_name)
        cache = EmbeddingCache(self._config.embeddings_directory, encoder.fingerprint, encoder.dim)
        view = self._catalog.view
        self._encoded.open(cache, view)
        self._stock_taken(view)
        self._change_over()

    def _change_over(self) -> None:
        """Publishes the model that a person chose to serve, else the newest on disk."""
        chosen = self._serving.pinned
        stored = self._serving.stored()  # gives a choice up that cannot be read
        if self._serving.pinned != chosen:
            return  # so begin anew, with what is chosen now
        if stored is not None:
            try:
                problem = self._restore(stored, self._encoder.get(), chosen=chosen is not None)
            except (LightBulbError, OSError, MemoryError):
                raise  # of this machine, not of the model
            except Exception as error:
                problem = f"it is damaged ({type(error).__name__}: {error})"
            if problem is not None:
                log.warning("model.not_restored", version=stored.version, reason=problem)
                self._serving.give_up(stored.version, problem)
        self._followed = chosen  # not before it serves: a failure on the way is to be tried again

    def _chosen_is_stale(self, view: CatalogView) -> bool:
        """Whether the chosen model, which is never fitted anew, has yet to score items or heed an audit."""
        snapshot = self._snapshot
        if self._followed is None or snapshot is None:
            return False
        due = not self._scored_pool().n_pending or time.monotonic() - self._scored_at > RESCORE_SECONDS
        return (self._unscored > 0 and due) or snapshot.recalled < view.recalled

    def _tuned_further(self, view: CatalogView) -> bool:
        """A slice of fine-tuning; False if there is none to do, or an earlier model was chosen to serve."""
        if self._tuning is None or self._serving.pinned is not None:
            return False
        if not self._tuning.step(view, self._encoded, self._encoder):
            return False
        promotion = self._tuning.take_promotion()
        if promotion is not None:
            self._take_up(promotion, view)
        return True

    def _take_up(self, promotion: Promotion, view: CatalogView) -> None:
        """A fine-tuned encoder; the former one's model serves until a model has learnt what it sees."""
        if not self._served_by_former():
            self._former = Former(self._encoder.get(), self._encoded)
        self._encoder, self._encoded = promotion.encoder, promotion.pool
        self._tuned.prune({*self._models.tuned(), promotion.name})
        self._fitted = None
        self._stock_taken(view)

    def _encoder_less(self) -> None:
        """No training and no model: nothing will ever need the encoder."""
        self._state = "off"
        self._worker.wait_until_stopped()

    def _take_stock(self, view: CatalogView) -> None:
        self._encoded.take_stock(view)
        if self._former is not None and self._served_by_former():
            self._former.pool.take_stock(view)
        self._stock_taken(view)

    def _stock_taken(self, view: CatalogView) -> None:
        self._encoding.begin_anew()
        self._unscored = self._scored_pool().count
        self._items_revision = view.items_revision
        self._report_progress()

    def _encode_chunk(self, view: CatalogView) -> None:
        self._state = "encoding"
        pool, former = self._pool_to_encode(), self._former
        encoder = former.encoder if former is not None and pool is former.pool else self._encoder.get()
        done = self._encoding.step(pool, encoder, view)
        if pool is self._scored_pool():
            self._unscored += done
        self._report_progress()
        due = self._snapshot is not None and time.monotonic() - self._scored_at > RESCORE_SECONDS
        if due and self._can_fit(view):
            self._fit(view)

    def _pool_to_encode(self) -> EncodedPool:
        """As the model that a person chose sees the items, if it lacks some; else as the next one will."""
        scored = self._scored_pool()
        return scored if scored.n_pending else self._encoded

    def _scored_pool(self) -> EncodedPool:
        """The items as they are scored from now on: a former encoder's, where a chosen model needs that."""
        former = self._former
        chosen = self._followed is not None and self._served_by_former()
        return former.pool if former is not None and chosen else self._encoded

    def _labels_changed(self, view: CatalogView) -> bool:
        """Or what became of proposals. A skipped question is an action, but nothing to learn from."""
        fitted = self._fitted
        if fitted is None or fitted.items_revision != view.items_revision:
            return True
        judged_alike = fitted.recalled == view.recalled and np.array_equal(fitted.doubts, view.doubts)
        return not (judged_alike and np.array_equal(fitted.labels, view.labels))

    def _can_fit(self, view: CatalogView) -> bool:
        if self._serving.pinned is not None:
            return False
        usable = view.labelled & self._has_embedding(view)
        teaching = view.labels[self._encoded.teaching(view)]
        enough = int(usable.sum()) >= self._config.learning.start_after
        if self._served_by_former() and (view.labelled & ~view.broken & ~usable).any():
            return False  # the former encoder's model knows more labels, until all are encoded anew
        return enough and len(np.unique(teaching)) >= 2

    def _fit(self, view: CatalogView) -> None:
        started = time.monotonic()
        self._state = "training"
        version = max([self._history.last_version(), *self._models.versions()]) + 1
        encoder = self._encoder.get()
        snapshot, classifier = fit_snapshot(
            self._config, self._decoder, view, self._encoded, encoder, version,
            needs=self._needs, scoring=self._begin_scoring,
        )  # fmt: skip
        card = card_of(snapshot, view, self._config, self._encoder, self._decoder.name)
        self._models.save(version, arrays_of(snapshot, classifier), card)
        self._history.add(snapshot)
        if self._serving.pinned is None:  # else someone chose another meanwhile
            self._publish(snapshot, view)
        self._state = "idle"
        log.debug(
            "model.published", version=version, labels=snapshot.labels, seconds=time.monotonic() - started
        )

    def _restore(self, stored: StoredModel, encoder: Encoder, *, chosen: bool) -> str | None:
        """Publishes a stored model; or says why it cannot. chosen: a person wants just this one."""
        card = stored.card
        problem = self._serving.misfit(card)
        if problem is not None:
            return problem
        view = self._catalog.view
        pool, former = self._encoded, self._former
        if card["encoder_fingerprint"] != encoder.fingerprint:
            # Only that of the serving model is kept up with the items.
            if former is None or not (self._served_by_former() and former.made(card["encoder_fingerprint"])):
                former = find_former(card, self._encoder, self._config, self._items, view)
            if former is None:
                return "its encoder is not there"
            encoder, pool = former.encoder, former.pool
        classifier = CalibratedClassifier.from_arrays(self._decoder, stored.arrays)
        self._begin_scoring()
        snapshot = snapshot_of(stored, self._config, view, pool, encoder, classifier)
        if chosen:  # its thresholds were found anew just now, with all that failed
            snapshot = replace(snapshot, recalled=view.recalled)
        known = card["last_action"] == view.last_action and encoder is self._encoder.loaded
        self._former = former  # not before: the model until now may be of another one
        self._publish(snapshot, view if known else None)
        log.info("model.restored", version=stored.version, labels=snapshot.labels)
        return None

    def _begin_scoring(self) -> None:
        self._state = "scoring" if self._train else "off"
        self._unscored, self._scored_at = 0, time.monotonic()

    def _served_by_former(self) -> bool:
        former, snapshot = self._former, self._snapshot
        return former is not None and snapshot is not None and former.made(snapshot.encoder_fingerprint)

    def _publish(self, snapshot: Snapshot, fitted: CatalogView | None) -> None:
        with self._published:
            self._snapshot = snapshot
            self._fitted = fitted
            self._published.notify_all()

    # --- parts of a step -------------------------------------------------------------------------

    def _has_embedding(self, view: CatalogView) -> Bools:
        return self._encoded.rows(view.ids) >= 0

    def _report_progress(self) -> None:
        self._on_progress(self._pool_to_encode().count, int((~self._catalog.view.broken).sum()))


def _labels(count: int) -> str:
    return "label" if count == 1 else "labels"
