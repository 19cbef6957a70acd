"""One of several classes for each image."""

from __future__ import annotations

import string
from typing import ClassVar

from lightbulb.config import did_you_mean
from lightbulb.errors import LabelError
from lightbulb.items.folder import IMAGE_SUFFIXES
from lightbulb.tasks import ClassKey, Task

RESERVED_KEYS = frozenset("usf?")  # undo, skip, flag, help


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
        single = {name for name in self.classes if len(name) == 1 and name in string.digits}
        # The digits as classes are labelled by their own keys; otherwise 1 is the first class.
        taken = set(single)
        spare = iter(
            [
                *(key for key in "1234567890" if key not in taken),
                *(key for key in string.ascii_lowercase if key not in RESERVED_KEYS),
            ]
        )
        return tuple(ClassKey(name, name if name in single else next(spare, None)) for name in self.classes)


class BinaryImageClassification(ImageClassification):
    """A yes-or-no question about each image."""

    name: ClassVar[str] = "images/binary"
