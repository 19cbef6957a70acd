"""`/score`: images in, class probabilities out, from one snapshot, through the path that trained it."""

from __future__ import annotations

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

    def score_urls(self, urls: Sequence[str]) -> Scored:
        """Fetches and scores. Raises: as `score_bytes`; FetchError; InputError for an unusable URL."""
        self._ready()
        with ThreadPoolExecutor(min(FETCHERS, len(urls)), thread_name_prefix="fetch") as pool:
            fetched = list(pool.map(lambda url: _attempt(self._fetcher.fetch, url), urls))
        return self.score_bytes(_all_or_error(fetched, "url", urls))

    def score_bytes(self, files: Sequence[bytes], names: Sequence[str] | None = None) -> Scored:
        """Scores encoded images, in one forward with those of other requests.

        Raises: NotReady while there is no model, and once stopped; UnreadableImage naming every input that
        is no image.
        """
        snapshot = self._ready()
        encoder = self._encoder(snapshot)
        shown = names if names is not None else [f"image {index}" for index in range(len(files))]
        # Here rather than in the batch: requests decode side by side, and a bad image stays out of it.
        inputs = _all_or_error([_attempt(encoder.prepare, data) for data in files], "name", shown)
        embeddings = self._batching.encode(encoder, inputs)
        scores = self.score_embeddings(embeddings, snapshot)
        return Scored(snapshot.classes, scores, snapshot.version, embeddings, snapshot.encoder_fingerprint)

    def score_embeddings(self, embeddings: Float16s, snapshot: Snapshot | None = None) -> Float32s:
        """float16 (n, dim) → float32 (n, n_classes). Raises: NotReady."""
        using = snapshot or self._ready()
        return using.classifier.probabilities(embeddings.astype(np.float32))

    def stop(self) -> None:
        """Answers what is in the forward at this moment, and refuses the rest."""
        self._batching.stop()

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
