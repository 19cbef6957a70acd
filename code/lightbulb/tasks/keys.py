"""Which key labels with which class: none twice, none that the page needs itself."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from lightbulb.config import did_you_mean
from lightbulb.tasks import ClassKey

# Keys of the Label page: undo, skip, flag, the list of keys, search, zoom. Its 0 makes way for a class.
RESERVED_KEYS = frozenset("usf?/+-=")
DIGITS = "1234567890"


def class_keys(classes: Sequence[str], chosen: Mapping[str, str]) -> tuple[ClassKey, ...]:
    """The key of each class, in order; None for those that are left when the keys run out.

    chosen: class → key as the YAML gives them. A class that is a single letter or digit is its own key.
    The others get digits and, where these do not suffice, a letter of their name if one is free.
    """
    keys = {name: key.lower() for name, key in chosen.items()}
    for name in classes:
        if len(name) == 1 and _is_free(name.lower(), keys.values()):
            keys.setdefault(name, name.lower())
    digits = iter([digit for digit in DIGITS if digit not in keys.values()])
    for name in classes:
        if name not in keys and (digit := next(digits, None)) is not None:
            keys[name] = digit
    for name in classes:
        if name not in keys and (letter := _letter_of(name, keys.values())) is not None:
            keys[name] = letter
    spare = iter([letter for letter in string.ascii_lowercase if _is_free(letter, keys.values())])
    return tuple(ClassKey(name, keys.get(name) or next(spare, None)) for name in classes)


def key_problems(classes: Sequence[str], chosen: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """(class, what is wrong with its key) for each key in the YAML that cannot be used."""
    taken: dict[str, str] = {}
    for name, key in chosen.items():
        small = key.lower()  # as the page compares keys; casefold would make two letters of ß
        if name not in classes:
            yield name, f"is not one of the classes{did_you_mean(name, classes)}"
        elif len(key) != 1 or len(small) != 1 or unicodedata.category(key)[0] in "CZM":
            yield name, f"needs a single character that a keyboard has (got {key!r})"
        elif small in RESERVED_KEYS:
            yield name, f"{key!r} is a key of the page itself ({' '.join(sorted(RESERVED_KEYS))})"
        elif small in taken:
            yield name, f"{key!r} is the key of {taken[small]!r} already"
        else:
            taken[small] = name


def _letter_of(name: str, taken: Iterable[str]) -> str | None:
    """The first free letter of the name, the first letters of its words before the others."""
    words = name.lower().split()
    letters = [word[0] for word in words] + [letter for word in words for letter in word]
    return next((one for one in letters if _is_free(one, taken)), None)


def _is_free(key: str, taken: Iterable[str]) -> bool:
    return key in string.ascii_lowercase + string.digits and key not in RESERVED_KEYS and key not in taken
