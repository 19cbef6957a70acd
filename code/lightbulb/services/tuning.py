"""Fine-tuning the encoder: train → encode → compare → take up or drop, in slices between two answers.

`step` does a slice of it; the learner calls it when it has nothing else to do. What the encoder has learnt
from can no longer show how sure a model may be. So it never learns from a quarter of the labels, chosen by
content: on these and the held-out items it is compared with the one in use, and on these the model goes on
being calibrated. A crash in the middle loses the attempt and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from safetensors.torch import save

from lightbulb.config import Config
from lightbulb.decoders import Decoder
from lightbulb.encoders.embed import encode_files
from lightbulb.encoders.torch_images import TorchImages
from lightbulb.errors import StoreError, WeightsError
from lightbulb.pretraining.fine_tune import Examples, FineTuning
from lightbulb.records import Float16s, Float32s, Ints, ItemId
from lightbulb.services.catalog import CatalogView
from lightbulb.services.comparing import Contestant, Shared, compare_encoders
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.store.embeddings import EmbeddingCache
from lightbulb.store.items import ItemStore
from lightbulb.store.models import StoredModel
from lightbulb.store.tuned import LastTry, TunedCard, TunedFolder
from lightbulb.training.compare import Comparison

log = structlog.get_logger()

FEWEST_LABELS = 100  # that teach: fewer made the encoder no better
FEWEST_HELD_OUT = 30  # measured ones, to compare on
FEWEST_OF_A_CLASS = 5  # in two classes at least
GROWTH = 1.5  # how many times the labels of the last attempt there must be for the next
LEFT_OUT = 4  # one in so many labels the encoder never learns from
SLICE_SECONDS = 0.5
TRAINING_SHARE = 0.8  # of the time, for the progress


@dataclass(frozen=True)
class Promotion:
    """A better encoder. name: of its weights. pool: its embeddings, those of labelled items among them."""

    name: str
    encoder: EncoderHandle
    pool: EncodedPool


@dataclass(frozen=True)
class _Attempt:
    """items: all that is encoded for the comparison. sample: those the models may teach themselves with."""

    card: TunedCard
    examples: Examples
    items: Ints
    sample: Ints


class Tuning:
    """base: the encoder as the config means it. locate: the file of an item's key."""

    def __init__(
        self,
        config: Config,
        base: EncoderHandle,
        decoder: type[Decoder],
        locate: Callable[[str], Path],
        items: ItemStore,
        folder: TunedFolder,
    ) -> None:
        self._config = config
        self._base = base
        self._decoder = decoder
        self._locate = locate
        self._items = items
        self._folder = folder
        self._last_try = folder.last_try()
        self._run: Iterator[None] | None = None
        self._promotion: Promotion | None = None
        self._view: CatalogView | None = None
        self.progress = 0.0

    def at_start(self, stored: StoredModel | None, view: CatalogView) -> tuple[EncoderHandle, EncodedPool]:
        """The encoder of the last model, if it was tuned from the one that the config means, else that one;
        and a pool for its embeddings, not opened yet."""
        name = stored.card.get("made_with", {}).get("tuned") if stored is not None else None
        if name is not None:
            try:
                card, tuned = self._folder.card(name), self._base.tuned(name)
                tuned.get()
            except (StoreError, WeightsError) as error:
                log.warning("tuning.weights_missing", reason=error.message)
            else:
                if card.base == self._base.get().fingerprint and card.classes == self._config.classes:
                    return tuned, self._tuned_pool(card, view)
        return self._base, EncodedPool(self._items, self._config.learning.seed)

    def step(self, view: CatalogView, pool: EncodedPool, encoder: EncoderHandle) -> bool:
        """A slice of work; False if there is none. pool, encoder: those in use now."""
        self._view = view
        if self._run is None:
            if not self._due(view, pool, encoder):
                return False
            self._run = self._attempt(view, pool)
        ends = time.monotonic() + SLICE_SECONDS
        try:
            next(self._run)
            while time.monotonic() < ends:
                next(self._run)
        except StopIteration:
            self._run = None
        except BaseException:
            self._run = None  # the learner tells of it; the next attempt is for when there are more labels
            raise
        return True

    def take_promotion(self) -> Promotion | None:
        """The better encoder that the last step found, once."""
        promotion, self._promotion = self._promotion, None
        return promotion

    # --- when ------------------------------------------------------------------------------------

    def _due(self, view: CatalogView, pool: EncodedPool, encoder: EncoderHandle) -> bool:
        needed = self._labels_needed(encoder)
        if int(view.labelled.sum()) < needed:
            return False
        teaching = pool.teaching(view)
        counts = np.bincount(view.labels[teaching], minlength=2)
        enough = int(counts.sum()) >= needed and int((counts >= FEWEST_OF_A_CLASS).sum()) >= 2
        return enough and int(pool.measured(view).sum()) >= FEWEST_HELD_OUT

    def _labels_needed(self, encoder: EncoderHandle) -> float:
        last = self._last_try
        alike = (
            last is not None
            and last.base == self._base.get().fingerprint
            and last.classes == self._config.classes
            and not (last.promoted and encoder.tuned_name is None)  # it was given up since
        )
        return GROWTH * last.labels if last is not None and alike else FEWEST_LABELS

    # --- an attempt ------------------------------------------------------------------------------

    def _attempt(self, view: CatalogView, pool: EncodedPool) -> Iterator[None]:
        began = time.monotonic()
        self.progress = 0.0
        attempt = self._begin(view, pool)
        self._last_try = _last_try(attempt.card, promoted=False)
        training = self._training(attempt)
        while not training.finished:
            training.step()
            self.progress = TRAINING_SHARE * training.progress
            yield
        weights = f"{self._base.get().weights_name}, tuned on {len(attempt.card.seen)} labels"
        candidate = self._folder.write_candidate(save(training.tensors(), attempt.card.metadata(weights)))
        try:
            handle = self._base.tuned(candidate)
            vectors: dict[ItemId, Float16s] = {}
            contents: dict[ItemId, str] = {}
            for _ in self._encode(handle, attempt.items, vectors, contents):
                self.progress = TRAINING_SHARE + (1 - TRAINING_SHARE) * len(contents) / len(attempt.items)
                yield
            found = self._compare(attempt, pool, vectors)
            if found.better:
                self._promote(attempt.card, candidate, handle, vectors, contents)
        finally:
            self._folder.drop(candidate)
        self._last_try = _last_try(attempt.card, promoted=found.better)
        self._folder.record(self._last_try)
        log.info(
            "tuning.done", promoted=found.better, labels=attempt.card.labels, compared_on=found.n,
            log_loss_drop=round(found.gain, 4), p_value=round(found.p_value, 3),
            held_out_before=round(found.accuracy_before, 3), held_out_after=round(found.accuracy_after, 3),
            seconds=round(time.monotonic() - began, 1),
        )  # fmt: skip

    def _begin(self, view: CatalogView, pool: EncodedPool) -> _Attempt:
        teaching, sample = pool.teaching(view), pool.self_teaching(view)
        ids = view.ids[teaching]
        content = {one.id: one.content or "" for one in self._items.get(ids.tolist()).values()}
        seen = np.array([not left_out(content[item]) for item in ids.tolist()], dtype=np.bool_)
        at = np.flatnonzero(teaching)[seen]
        return _Attempt(
            card=TunedCard(
                base=self._base.get().fingerprint,
                classes=self._config.classes,
                labels=len(ids),
                seen=tuple(content[item] for item in view.ids[at].tolist()),
            ),
            examples=Examples(
                [self._locate(view.keys[one]) for one in at], view.labels[at], len(self._config.classes)
            ),
            items=view.ids[teaching | sample | pool.measured(view)],
            sample=view.ids[sample],
        )

    def _training(self, attempt: _Attempt) -> FineTuning:
        """From the untuned weights: what an earlier attempt knew by heart is not learnt deeper still."""
        base = self._base.get()
        assert isinstance(base, TorchImages)  # as every tunable encoder is
        rng = np.random.default_rng([self._config.learning.seed, attempt.card.labels])
        return FineTuning(base.trainable(), attempt.examples, rng, device=self._config.model.device)

    def _encode(
        self,
        handle: EncoderHandle,
        items: Ints,
        vectors: dict[ItemId, Float16s],
        contents: dict[ItemId, str],
    ) -> Iterator[None]:
        """Fills in the embedding and the content hash of each item, a chunk at a time."""
        view = self._now()
        at = view.positions(items)
        files = [(int(view.ids[one]), self._locate(view.keys[one])) for one in at]
        for chunk in encode_files(handle.get(), files, cached=lambda _: False):
            rows = dict(zip(chunk.new, chunk.embeddings, strict=True))
            vectors.update({item: rows[content] for item, content in chunk.contents.items()})
            contents.update(chunk.contents)
            yield

    def _compare(
        self, attempt: _Attempt, pool: EncodedPool, vectors: Mapping[ItemId, Float16s]
    ) -> Comparison:
        """The encoder in use and the candidate, with the labels as they are now."""
        view = self._now()
        known = np.isin(view.ids, np.fromiter(vectors, dtype=np.int64))
        teaching, measured = pool.teaching(view) & known, pool.measured(view) & known
        free = view.askable & ~view.held_out & known & np.isin(view.ids, attempt.sample)
        ids, seen = view.ids[teaching], set(attempt.card.seen)
        content = {one.id: one.content for one in self._items.get(ids.tolist()).values()}
        unseen = np.array([content[item] not in seen for item in ids.tolist()], dtype=np.bool_)
        shared = Shared(
            teaching=ids,
            targets=view.labels[teaching],
            measured=view.ids[measured],
            measured_targets=view.labels[measured],
            free=view.ids[free],
            n_classes=len(self._config.classes),
        )
        return compare_encoders(
            Contestant(lambda ids: pool.embeddings(pool.rows(ids)), pool.unseen(ids)),
            Contestant(lambda ids: _stacked(vectors, ids), unseen),
            shared,
            self._decoder,
            self._config.learning.seed,
        )

    def _promote(
        self,
        card: TunedCard,
        candidate: str,
        handle: EncoderHandle,
        vectors: Mapping[ItemId, Float16s],
        contents: Mapping[ItemId, str],
    ) -> None:
        """The weights get their lasting name; what was encoded for the comparison is cached."""
        encoder, config = handle.get(), self._config
        self._folder.keep(candidate, encoder.fingerprint)
        cache = EmbeddingCache(config.embeddings_directory, encoder.fingerprint, encoder.dim)
        items = list(vectors)
        cache.append([contents[item] for item in items], np.stack([vectors[item] for item in items]))
        pool = self._tuned_pool(card, self._now())
        pool.open(cache, self._now())
        self._promotion = Promotion(encoder.fingerprint, self._base.tuned(encoder.fingerprint), pool)

    def _tuned_pool(self, card: TunedCard, view: CatalogView) -> EncodedPool:
        """For the embeddings of tuned weights, not opened yet; knows the untuned ones besides."""
        base, seed = self._base.get(), self._config.learning.seed
        untuned = EncodedPool(self._items, seed)
        untuned.open(EmbeddingCache(self._config.embeddings_directory, base.fingerprint, base.dim), view)
        return EncodedPool(self._items, seed, seen=card.seen, untuned=untuned)

    def _now(self) -> CatalogView:
        assert self._view is not None
        return self._view


def left_out(content: str) -> bool:
    """Whether the encoder never learns from an item. content: hash of its bytes, as hex; "" if unknown."""
    return not content or int(content[:8], 16) % LEFT_OUT == 0


def _last_try(card: TunedCard, *, promoted: bool) -> LastTry:
    return LastTry(card.base, card.classes, card.labels, promoted)


def _stacked(vectors: Mapping[ItemId, Float16s], items: Ints) -> Float32s:
    if not len(items):
        return np.empty((0, len(next(iter(vectors.values())))), dtype=np.float32)
    return np.stack([vectors[item] for item in items.tolist()]).astype(np.float32)
