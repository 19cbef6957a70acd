"""Fine-tuned encoder weights on disk, below the models that were made with them: tuned/NAME.safetensors.

NAME is the encoder's fingerprint. A candidate that is still being compared has a name that begins with a dot.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from safetensors import SafetensorError, safe_open

from lightbulb.errors import StoreError
from lightbulb.files import fsync_folder, write_atomically

log = structlog.get_logger()

FOLDER, SUFFIX, CARD = "tuned", ".safetensors", "card"
LAST_TRY = "last_try.json"


@dataclass(frozen=True)
class TunedCard:
    """What is kept in a file of tuned weights.

    base: fingerprint of the encoder it started from. classes: of the task. labels: that there were.
    seen: content hashes of the items whose labels it has learnt from.
    """

    base: str
    classes: tuple[str, ...]
    labels: int
    seen: tuple[str, ...]

    def metadata(self, weights_name: str) -> dict[str, str]:
        """For the header of the file. weights_name: what to call the weights, for people."""
        return {CARD: json.dumps(asdict(self)), "weights_name": weights_name}


@dataclass(frozen=True)
class LastTry:
    """base, classes, labels: as of `TunedCard`. promoted: whether the result was taken up."""

    base: str
    classes: tuple[str, ...]
    labels: int
    promoted: bool


def tuned_path(model_directory: Path, name: str) -> Path:
    return model_directory / FOLDER / f"{Path(name).name}{SUFFIX}"


class TunedFolder:
    """embeddings: the directory of embedding caches, a folder for each fingerprint."""

    def __init__(self, model_directory: Path, embeddings: Path) -> None:
        self._models = model_directory
        self._embeddings = embeddings

    def write_candidate(self, data: bytes) -> str:
        """Its name. data: a safetensors file whose header holds a card's metadata."""
        name = f".{uuid.uuid4().hex}"
        write_atomically(tuned_path(self._models, name), data)
        return name

    def keep(self, candidate: str, fingerprint: str) -> None:
        """Gives a candidate its lasting name."""
        path = tuned_path(self._models, fingerprint)
        tuned_path(self._models, candidate).replace(path)
        fsync_folder(path.parent)

    def drop(self, candidate: str) -> None:
        tuned_path(self._models, candidate).unlink(missing_ok=True)

    def card(self, name: str) -> TunedCard:
        """Raises: StoreError if the file is not there or cannot be read."""
        path = tuned_path(self._models, name)
        try:
            with safe_open(path, framework="numpy") as file:
                found = json.loads((file.metadata() or {})[CARD])
            return TunedCard(**{**found, "classes": tuple(found["classes"]), "seen": tuple(found["seen"])})
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"model.directory: {path} cannot be used: {error}") from error

    def last_try(self) -> LastTry | None:
        try:
            found = json.loads((self._models / FOLDER / LAST_TRY).read_text(encoding="utf-8"))
            return LastTry(**{**found, "classes": tuple(found["classes"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("tuning.last_try_unreadable", error=str(error))
            return None

    def record(self, last_try: LastTry) -> None:
        write_atomically(self._models / FOLDER / LAST_TRY, f"{json.dumps(asdict(last_try))}\n".encode())

    def prune(self, needed: Collection[str]) -> None:
        """Removes the weights that no kept model was made with, and the embeddings made with them."""
        for path in (self._models / FOLDER).glob(f"*{SUFFIX}"):
            if path.name.removesuffix(SUFFIX) in needed:
                continue
            path.unlink(missing_ok=True)
            name = path.name.removesuffix(SUFFIX)
            if not name.startswith("."):
                shutil.rmtree(self._embeddings / name, ignore_errors=True)
            log.info("tuning.removed", weights=name)
