"""One of several classes for each image."""

from __future__ import annotations

from typing import ClassVar

from lightbulb.config import did_you_mean
from lightbulb.errors import LabelError
from lightbulb.items.folder import IMAGE_SUFFIXES
from lightbulb.tasks import ClassKey, Task
from lightbulb.tasks.keys import class_keys


class ImageClassification(Task):
    name: ClassVar[str] = "images/classification"
    data_type: ClassVar[str] = "images"
    metric: ClassVar[str] = "accuracy"
    suffixes: ClassVar[frozenset[str]] = IMAGE_SUFFIXES
    default_encoder: ClassVar[str] = "squeezenet"
    default_decoder: ClassVar[str] = "mlp"
    question_view: ClassVar[str] = "label.html"
    batch_view: ClassVar[str] = "review.html"

    def check_value(self, value: str) -> str:
        if value not in self.classes:
            raise LabelError(f"{value!r} is not a class of this task{did_you_mean(value, self.classes)}")
        return value

    def class_keys(self) -> tuple[ClassKey, ...]:
        return class_keys(self.classes, self.keys)


class BinaryImageClassification(ImageClassification):
    """A yes-or-no question about each image."""

    name: ClassVar[str] = "images/binary"
