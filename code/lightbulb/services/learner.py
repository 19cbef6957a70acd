"""The one background thread: encoding → fit → evaluate → calibrate → rescore → publish.

`step` does one piece of work and says whether there was any; the thread calls it for ever, and
`simulate` calls it by hand. Whatever goes wrong in a step is logged, shown in the status and tried
again; labels never depend on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from lightbulb.config import Config
from lightbulb.decoders import Decoder
from lightbulb.encoders import Encoder
from lightbulb.encoders.embed import EncodedChunk, encode_files
from lightbulb.errors import LightBulbError, NotReady, WeightsError
from lightbulb.records import Bools, Float32s, Measured, Snapshot
from lightbulb.services.catalog import Catalog, CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.services.serving import Serving
from lightbulb.services.snapshots import arrays_of, card_of, make_snapshot, snapshot_of
from lightbulb.services.suspecting import suspects_among
from lightbulb.services.tuning import Promotion, Tuning
from lightbulb.store.embeddings import EmbeddingCache
from lightbulb.store.items import ItemStore
from lightbulb.store.models import ModelFolder, ModelHistory, StoredModel
from lightbulb.store.tuned import TunedFolder
from lightbulb.training.fit import CalibratedClassifier, fit_classifier

log = structlog.get_logger()

ENCODING_SLICE = 128  # files between two looks at whether labelled items wait to be encoded
RESCORE_SECONDS = 20.0  # while encoding, how often what is new joins the scored pool
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 60.0
STOP_SECONDS = 15.0


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
        self._followed: int | None = None  # the choice that the snapshot follows
        self._train = train
        self._on_progress = on_progress
        self._encoded = encoded
        self._needs = needs
        self._snapshot: Snapshot | None = None
        self._published = threading.Condition()
        self._items_revision = -1
        self._stream: Generator[EncodedChunk, None, None] | None = None
        self._fitted: CatalogView | None = None  # the labels that the snapshot knows
        self._former: Encoder | None = None  # of a snapshot made before the config named another encoder
        self._unscored = 0
        self._scored_at = 0.0
        self._state = "idle" if train else "off"
        self._error: str | None = None
        self.banner: str | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="learner", daemon=True)

    # --- what others see -------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot | None:
        return self._snapshot

    @property
    def encoded(self) -> EncodedPool:
        """The items as the present encoder sees them: another one after its fine-tuning."""
        return self._encoded

    def status(self) -> LearnerStatus:
        encoded, total = self._encoded.count, int((~self._catalog.view.broken).sum())
        learns = self._train and self._error is None and self._serving.pinned is None
        active = learns and (self._snapshot is not None or self.needed() is None)
        progress = min(1.0, encoded / total) if total else 1.0
        if self._tuning is not None and self._state == "tuning":
            progress = self._tuning.progress
        return LearnerStatus(self._state, active, progress, self._error, encoded, total)

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
        for encoder in (self._former, self._encoder.get()):
            if encoder is not None and encoder.fingerprint == snapshot.encoder_fingerprint:
                return encoder
        raise NotReady("another model has just begun to serve; try again", code="model_changed")

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
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)  # a download that hangs must not hold up the end
        if self._stream is not None and not self._thread.is_alive():
            self._stream.close()  # else its threads would go on, and the process end only after them

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def _run(self) -> None:
        retry = FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                worked = self.step()
                self._error, retry = None, FIRST_RETRY_SECONDS
            except Exception as error:  # the thread must outlive any mistake in a step
                known = isinstance(error, LightBulbError)
                self._error = str(error) if known else f"{type(error).__name__}: {error}"
                log.error("learner.failed", error=self._error, retry_seconds=retry, exc_info=not known)
                self._stream, self._state = None, "idle"
                self._stopping.wait(retry)
                retry = min(2 * retry, LAST_RETRY_SECONDS)
                continue
            if not worked:
                self._wake.wait()

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
        elif self._train and self._encoded.n_pending:
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
        elif self._encoded.n_pending:
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
        stored = self._serving.stored()  # gives a choice up that cannot be read
        self._followed = self._serving.pinned
        if stored is None:
            return
        problem = self._restore(stored, self._encoder.get())
        if problem is not None:
            log.warning("model.not_restored", version=stored.version, reason=problem)
            self._serving.give_up(stored.version, problem)

    def _chosen_is_stale(self, view: CatalogView) -> bool:
        """Whether the chosen model, which is never fitted anew, has yet to score items or heed an audit."""
        snapshot = self._snapshot
        if self._followed is None or snapshot is None:
            return False
        return (self._unscored > 0 and not self._encoded.n_pending) or snapshot.recalled < view.recalled

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
        snapshot = self._snapshot
        self._former = self._encoder.get() if snapshot is None else self.encoder_of(snapshot)
        self._encoder, self._encoded = promotion.encoder, promotion.pool
        self._tuned.prune({*self._models.tuned(), promotion.name})
        self._fitted = None
        self._stock_taken(view)

    def _encoder_less(self) -> None:
        """No training and no model: nothing will ever need the encoder."""
        self._state = "off"
        self._stopping.wait()

    def _take_stock(self, view: CatalogView) -> None:
        self._encoded.take_stock(view)
        self._stock_taken(view)

    def _stock_taken(self, view: CatalogView) -> None:
        self._stream = None
        self._unscored = self._encoded.count
        self._items_revision = view.items_revision
        self._report_progress()

    def _encode_chunk(self, view: CatalogView) -> None:
        self._state = "encoding"
        if self._stream is None:
            self._stream = self._new_stream(view)
        chunk = next(self._stream, None)
        if chunk is None:
            self._stream = None
            return
        assert self._encoded.cache is not None
        self._encoded.cache.append(chunk.new, chunk.embeddings)
        self._items.set_contents(chunk.contents, chunk.broken)
        self._catalog.mark_broken(chunk.broken)
        for item, reason in chunk.broken.items():
            log.warning("item.broken", item=item, reason=reason)
        self._encoded.add(chunk.contents, chunk.broken)
        self._unscored += len(chunk.contents)
        self._report_progress()
        due = self._snapshot is not None and time.monotonic() - self._scored_at > RESCORE_SECONDS
        if due and self._can_fit(view):
            self._fit(view)

    def _new_stream(self, view: CatalogView) -> Generator[EncodedChunk, None, None]:
        """The next slice to encode: what is labelled already first, then in random order.

        A random order makes what is encoded so far a sample of the whole, in whatever order files lie.
        """
        assert self._encoded.cache is not None
        at = view.positions(self._encoded.pending)
        turns = np.random.default_rng(self._config.learning.seed).permutation(len(view.ids))
        turns[view.labelled] -= len(turns)
        many = min(len(at), max(ENCODING_SLICE, 2 * self._encoder.get().batch))
        next_ones = np.argpartition(turns[at], many - 1)[:many]
        order = next_ones[np.argsort(turns[at[next_ones]])]
        files = [(int(view.ids[position]), self._locate(view.keys[position])) for position in at[order]]
        return encode_files(self._encoder.get(), files, cached=self._encoded.cache.__contains__)

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
        encoded = self._has_embedding(view)
        teaching = self._encoded.teaching(view)
        left_out = int((view.teaching & encoded & ~teaching).sum())
        train = self._encoded.labelled(view, teaching)
        measured = self._encoded.measured(view)
        held_out = self._encoded.labelled(view, measured)
        classes = self._config.classes
        rng = np.random.default_rng(self._config.learning.seed)
        pool = self._encoded.statistics()
        fitted = fit_classifier(
            self._decoder, train, held_out, lambda: self._unlabelled(view), len(classes), pool, rng,
            self._encoded.unseen(view.ids[teaching]),
        )  # fmt: skip
        fit_seconds = time.monotonic() - started
        version = max([self._history.last_version(), *self._models.versions()]) + 1
        self._begin_scoring()
        snapshot = make_snapshot(
            self._config, view, self._encoded, self._encoder.get(),
            fitted.classifier, fitted.accuracy, version,
            trained_on=len(train.targets),
            voters=fitted.members if "votes" in self._needs else (),
            metrics={"fit_seconds": fit_seconds, "left_out": left_out},
        )  # fmt: skip
        snapshot = replace(
            snapshot,
            confusion=fitted.confusion,
            measured=Measured.of(view.ids[measured], held_out.targets, fitted.held_out),
            suspects=suspects_among(
                view,
                self._encoded,
                view.ids[teaching],
                fitted.out_of_fold,
                self._decoder,
                classes,
                self._config.learning.seed,
            ),
        )
        card = card_of(snapshot, view, self._config, self._encoder, self._decoder.name)
        self._models.save(version, arrays_of(snapshot, fitted.classifier), card)
        self._history.add(snapshot)
        if self._serving.pinned is None:  # else someone chose another meanwhile
            self._publish(snapshot, view)
        self._state = "idle"
        log.debug(
            "model.published", version=version, labels=snapshot.labels, seconds=time.monotonic() - started
        )

    def _restore(self, stored: StoredModel, encoder: Encoder) -> str | None:
        """Publishes a stored model; or says why it cannot."""
        card = stored.card
        problem = self._serving.misfit(card)
        if problem is not None:
            return problem
        view = self._catalog.view
        pool, former = self._encoded, None
        if card["encoder_fingerprint"] != encoder.fingerprint:
            former = self._find_former(card)
            if former is None:
                return "its encoder is not there"
            encoder = former
            pool = EncodedPool(self._items, self._config.learning.seed)
            pool.open(EmbeddingCache(self._config.embeddings_directory, former.fingerprint, former.dim), view)
        classifier = CalibratedClassifier.from_arrays(self._decoder, stored.arrays)
        self._begin_scoring()
        snapshot = snapshot_of(stored, self._config, view, pool, encoder, classifier)
        if self._followed is not None:  # its thresholds were found anew just now, with all that failed
            snapshot = replace(snapshot, recalled=view.recalled)
        known = card["last_action"] == view.last_action and encoder is self._encoder.loaded
        self._former = former or self._former  # not before: the model until now may be of another one
        self._publish(snapshot, view if known else None)
        log.info("model.restored", version=stored.version, labels=snapshot.labels)
        return None

    def _begin_scoring(self) -> None:
        self._state = "scoring" if self._train else "off"
        self._unscored, self._scored_at = 0, time.monotonic()

    def _served_by_former(self) -> bool:
        former, snapshot = self._former, self._snapshot
        return former is not None and snapshot is not None and self.encoder_of(snapshot) is former

    def _find_former(self, card: Mapping[str, Any]) -> Encoder | None:
        """The encoder of a stored model, if it can still be had just as it was."""
        try:
            encoder = self._encoder.like(card["made_with"]).get()
        except (KeyError, WeightsError) as error:
            log.warning("encoder.former_missing", reason=str(error))
            return None
        return encoder if encoder.fingerprint == card["encoder_fingerprint"] else None

    def _publish(self, snapshot: Snapshot, fitted: CatalogView | None) -> None:
        with self._published:
            self._snapshot = snapshot
            self._fitted = fitted
            self._published.notify_all()

    # --- parts of a step -------------------------------------------------------------------------

    def _unlabelled(self, view: CatalogView) -> Float32s:
        """What the model may teach itself with."""
        return self._encoded.embeddings(self._encoded.rows(view.ids[self._encoded.self_teaching(view)]))

    def _has_embedding(self, view: CatalogView) -> Bools:
        return self._encoded.rows(view.ids) >= 0

    def _report_progress(self) -> None:
        self._on_progress(self._encoded.count, int((~self._catalog.view.broken).sum()))


def _labels(count: int) -> str:
    return "label" if count == 1 else "labels"
