"""`/score`: images in, class probabilities out, from one snapshot, through the path that trained it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightbulb.encoders import Encoder
from lightbulb.errors import InputError, LightBulbError, NotReady
from lightbulb.records import Float16s, Float32s, Snapshot
from lightbulb.services.batching import Batching
from lightbulb.services.fetching import UrlFetcher
from lightbulb.torch_setup import CORES

FETCHERS = 8


@dataclass(frozen=True)
class Scored:
    """labels: class names in config order. scores: float32 (n, n_classes), a row for each input in order.

    embeddings: the inputs' own, float16 (n, dim), by the encoder of that fingerprint.
    """

    labels: tuple[str, ...]
    scores: Float32s
    model_version: int
    embeddings: Float16s
    encoder_fingerprint: str


class _Model:
    """A snapshot with its encoder: images → (embedding, probabilities) each, or why one cannot be read.

    Where every core has a forward of its own, it also decodes the images: it then finds them in its cache.
    Otherwise requests decode theirs beforehand, side by side.
    """

    def __init__(self, encoder: Encoder, snapshot: Snapshot) -> None:
        self.encoder = encoder
        self.snapshot = snapshot
        self.batch, self.threads, self.side_by_side = encoder.batch, encoder.threads, encoder.side_by_side
        self.decodes = encoder.side_by_side >= CORES

    def prepare(self, data: bytes) -> object:
        return _attempt(self.encoder.prepare, data)

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """inputs: encoded images if it decodes, else what `prepare` made of them."""
        prepared = [self.prepare(one) for one in inputs] if self.decodes else inputs
        rows = iter(self._rows([one for one in prepared if not isinstance(one, LightBulbError)]))
        return [one if isinstance(one, LightBulbError) else next(rows) for one in prepared]

    def _rows(self, inputs: Sequence[object]) -> list[tuple[Float16s, Float32s]]:
        if not inputs:
            return []
        embeddings = self.encoder.encode(inputs)
        if embeddings.shape != (len(inputs), self.encoder.dim):
            raise ValueError(f"{len(inputs)} images gave embeddings {embeddings.shape}")
        scores = self.snapshot.classifier.probabilities(embeddings.astype(np.float32))
        return list(zip(embeddings, scores, strict=True))


class Scoring:
    """encoder: the one that a snapshot was made with.

    explain: raises the NotReady that says what is missing while there is no snapshot.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot | None],
        encoder: Callable[[Snapshot], Encoder],
        fetcher: UrlFetcher,
        explain: Callable[[], NotReady],
    ) -> None:
        self._snapshot = snapshot
        self._encoder = encoder
        self._fetcher = fetcher
        self._explain = explain
        self._batching = Batching()
        self._model: Callable[[], _Model | None] = lambda: None  # weak: the last snapshot may be large

    def score_urls(self, urls: Sequence[str]) -> Scored:
        """Fetches and scores. Raises: as `score_bytes`; FetchError; InputError for an unusable URL."""
        self._ready()
        with ThreadPoolExecutor(min(FETCHERS, len(urls)), thread_name_prefix="fetch") as pool:
            fetched = list(pool.map(lambda url: _attempt(self._fetcher.fetch, url), urls))
        return self.score_bytes(_all_or_error(fetched, "url", urls))

    def score_bytes(self, files: Sequence[bytes], names: Sequence[str] | None = None) -> Scored:
        """Scores encoded images, at least one, in one forward with those of other requests.

        Raises: NotReady while there is no model, and once stopped; UnreadableImage naming every input that
        is no image.
        """
        model = self._model_of(self._ready())
        shown = names if names is not None else [f"image {index}" for index in range(len(files))]
        inputs = files if model.decodes else [model.prepare(data) for data in files]
        rows = _all_or_error(self._batching.run(model, inputs), "name", shown)
        snapshot = model.snapshot
        return Scored(
            snapshot.classes,
            np.stack([scores for _, scores in rows]),
            snapshot.version,
            np.stack([embedding for embedding, _ in rows]),
            snapshot.encoder_fingerprint,
        )

    def stop(self) -> None:
        """Answers what is in the forward at this moment, and refuses the rest."""
        self._batching.stop()

    def _model_of(self, snapshot: Snapshot) -> _Model:
        """The same for all requests that one snapshot answers at a time: only theirs share a batch."""
        model, encoder = self._model(), self._encoder(snapshot)
        if model is None or model.snapshot is not snapshot or model.encoder is not encoder:
            model = _Model(encoder, snapshot)
            self._model = weakref.ref(model)
        return model

    def _ready(self) -> Snapshot:
        snapshot = self._snapshot()
        if snapshot is None:
            raise self._explain()
        return snapshot


def _attempt(function: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return function(argument)
    except LightBulbError as error:
        return error


def _all_or_error(results: Sequence[Any], kind: str, names: Sequence[str]) -> list[Any]:
    """The results; or, if some are errors, the first of them with the details of all."""
    failed = [(index, result) for index, result in enumerate(results) if isinstance(result, LightBulbError)]
    if not failed:
        return list(results)
    details = [
        {"index": index, kind: names[index][:200], "problem": error.message} for index, error in failed
    ]
    index, first = failed[0]
    prefix = f"{names[index]}: " if isinstance(first, InputError) and kind == "name" else ""
    raise type(first)(f"{prefix}{first.message}", code=first.code, details=details)
