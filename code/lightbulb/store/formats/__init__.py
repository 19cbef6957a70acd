"""Files of labels, one format each: a name for `--format`, a writer and a reader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from lightbulb.records import Label


@dataclass(frozen=True)
class LabelRow:
    """One row of a file. where: its place in the file, for messages. Empty cells are None."""

    where: str
    path: str
    label: str
    annotator: str | None = None
    source: str | None = None
    seconds: float | None = None
    created_at: datetime | None = None


class LabelFormat(ABC):
    name: ClassVar[str]
    suffix: ClassVar[str]
    media_type: ClassVar[str]

    @abstractmethod
    def write(self, rows: Iterable[tuple[str, Label]]) -> str:
        """(item key, label) → the file's text."""

    @abstractmethod
    def read(self, text: str) -> Sequence[LabelRow]:
        """The file's text → rows. Raises: InputError listing every row that cannot be read."""
