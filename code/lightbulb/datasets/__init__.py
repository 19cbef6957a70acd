"""Example datasets, one file each: what `make dataset/NAME` and `lightbulb dataset NAME` make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar


class DatasetRecipe(ABC):
    """Writes an unlabelled folder of items, and the truth beside it for `lightbulb simulate`."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def make(self, root: Path) -> None:
        """Writes `root/NAME/` (items) and `root/NAME.truth.csv` (columns path,label).

        Must be resumable: run again after an interruption it finishes the work, run again after
        success it does nothing.

        Raises: DatasetError if it cannot be made here; the message says what to do instead.
        """
