"""Task types: what kind of item gets what kind of label, and all that follows from it. One file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class ClassKey:
    """A class and the key that labels with it; None when there are more classes than keys."""

    name: str
    key: str | None


class Task(ABC):
    """name: "DATA_TYPE/LABEL_TYPE" as the YAML gives them."""

    name: ClassVar[str]
    data_type: ClassVar[str]
    metric: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]  # of the files that are items
    default_encoder: ClassVar[str]
    default_decoder: ClassVar[str]
    question_view: ClassVar[str]  # page templates
    batch_view: ClassVar[str]

    def __init__(self, classes: tuple[str, ...], keys: Mapping[str, str] | None = None) -> None:
        """keys: class → key that labels with it, for those that are chosen by hand."""
        self.classes = classes
        self.keys = dict(keys or {})

    @abstractmethod
    def check_value(self, value: str) -> str:
        """The label's value as it is stored. Raises: LabelError if it is not a label of this task."""

    @abstractmethod
    def class_keys(self) -> tuple[ClassKey, ...]:
        """The key of each class, in config order, none twice and none that a page uses itself."""
