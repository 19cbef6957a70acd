"""Every error Light Bulb raises on purpose, in one tree.

An error carries a machine-readable `code`, a sentence for people, and `details` (a list of
JSON-ready dicts naming each offending key, file or item). `web/errors.py` maps the classes to HTTP
statuses; `cli.py` prints the sentence and exits with 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class LightBulbError(Exception):
    """Base of the tree: something a person can read and act on."""

    code = "error"

    def __init__(
        self, message: str, *, code: str | None = None, details: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = [dict(detail) for detail in details]
        if code is not None:
            self.code = code


class ConfigError(LightBulbError):
    """The YAML is wrong. `problems` lists every mistake as "key.path: what is wrong"."""

    code = "bad_config"

    def __init__(self, problems: Sequence[str], *, source: str = "") -> None:
        self.problems = list(problems)
        heading = f"{source}: " if source else ""
        count = len(self.problems)
        plural = "problem" if count == 1 else "problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            f"{heading}{count} {plural}\n{lines}",
            details=[{"problem": problem} for problem in self.problems],
        )


class InputError(LightBulbError):
    """What a client sent cannot be used."""

    code = "bad_input"


class LabelError(InputError):
    """A label's value does not fit the task."""

    code = "unknown_label"


class UnreadableImage(InputError):
    """Bytes that are no image, a damaged one, or one over the pixel limit."""

    code = "unreadable_image"


class NotFound(LightBulbError):
    """There is no such item, batch or page."""

    code = "not_found"


class Conflict(LightBulbError):
    """The request is well-formed but does not fit the present state."""

    code = "conflict"


class NotReady(LightBulbError):
    """Nothing can be answered yet; the message says what is missing."""

    code = "no_model"


class FetchError(LightBulbError):
    """A URL could not be fetched: refused, too slow, too large or failing."""

    code = "fetch_failed"


class WeightsError(LightBulbError):
    """Encoder weights are missing, damaged or of another architecture."""

    code = "bad_weights"


class StoreError(LightBulbError):
    """A file or database on disk cannot be used as it is."""

    code = "store"


class DatasetError(LightBulbError):
    """A dataset could not be made; the message names what to do instead."""

    code = "dataset"
