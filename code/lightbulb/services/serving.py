"""Which model serves: the newest, or an earlier one that a person chose, until they release it.

While one is chosen, answers are kept but nothing is learnt from them: a newer model would otherwise be
measured, proposed from and certified beside the one that people see. The choice is a file beside the models,
so it outlives a restart, and `--mode production` heeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from lightbulb.errors import Conflict, NotFound, StoreError
from lightbulb.store.models import ModelFolder, StoredModel

log = structlog.get_logger()


class Serving:
    """pinned: the chosen version, None while the newest serves. problem: why a choice could not be kept."""

    def __init__(self, models: ModelFolder, classes: tuple[str, ...], decoder: str) -> None:
        self._models = models
        self._classes = classes
        self._decoder = decoder
        self._listeners: list[Callable[[], None]] = []
        self.problem: str | None = None
        self.pinned: int | None = None
        try:
            self.pinned = models.pinned()
        except StoreError as error:
            self.problem = f"{error.message}; the newest model serves."
            models.release()

    def listen(self, listener: Callable[[], None]) -> None:
        """Called after each change, in the thread that made it."""
        self._listeners.append(listener)

    def choose(self, version: int) -> None:
        """The version serves from now on; the learner changes over as soon as it has finished its step.

        Raises: NotFound if it is not kept any more; Conflict if it is damaged or fits the task no longer.
        """
        try:
            misfit = self.misfit(self._models.load(version).card)
        except StoreError as error:
            raise Conflict(error.message, code="damaged_model") from error
        if misfit is not None:
            raise Conflict(f"model {version} cannot serve: {misfit}", code="unfit_model")
        self._models.pin(version)
        self._change(version)
        log.info("model.chosen", version=version)

    def release(self) -> None:
        """The newest model serves again, and learns what was answered meanwhile."""
        self._models.release()
        self._change(None)
        log.info("model.released")

    def give_up(self, version: int, reason: str) -> None:
        """The chosen version turned out not to be usable: said on every page, and released."""
        if self.pinned == version:
            self.release()
            self.problem = f"Model {version}, which was chosen to serve, cannot: {reason}. The newest serves."

    def stored(self) -> StoredModel | None:
        """The model to serve as it is on disk: the chosen one, else the newest that can be read."""
        version = self.pinned
        if version is not None:
            try:
                return self._models.load(version)
            except (NotFound, StoreError) as error:
                self.give_up(version, error.message)
        return self._models.last_good()

    def misfit(self, card: Mapping[str, Any]) -> str | None:
        """Why a model cannot serve this task as it is configured now; None if it can."""
        if tuple(card["classes"]) != self._classes:
            return "its classes are others"
        return None if card["decoder"] == self._decoder else "its decoder is another"

    def _change(self, version: int | None) -> None:
        self.pinned, self.problem = version, None
        for listener in self._listeners:
            listener()
