"""What a class may be called: names that people can see, and tell apart.

Characters without a width are needed inside words of several scripts and in emoji (the joiners U+200C and
U+200D, variation selectors); where they join nothing they only make two names of what looks like one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

JOINERS = "\u200c\u200d"
VIRAMA = 9  # combining class of the signs that join consonants: a joiner after one shapes the letter before
# By themselves not seen: joiners, variation selectors, fillers of Hangul, an empty Braille cell.
UNSEEN = re.compile(
    "[\u200c\u200d\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names in Unicode's composed form (NFC). Raises: ValueError saying what is wrong with one."""
    seen: dict[str, str] = {}
    for name in (unicodedata.normalize("NFC", one) for one in names):
        look = UNSEEN.sub("", name)
        if not name:
            raise ValueError("has an empty class name")
        if any(unicodedata.category(char).startswith("C") and char not in JOINERS for char in name):
            raise ValueError(f"has a control character in {name!r}")
        if not look.strip():
            raise ValueError(f"has a name that cannot be seen, {name!r}")
        if not all(joins(name, at) for at, char in enumerate(name) if char in JOINERS):
            raise ValueError(f"has a zero-width joiner that joins nothing in {name!r}")
        if seen.get(look) == name:
            raise ValueError(f"lists {name!r} twice")
        if look in seen:
            raise ValueError(f"has two names that look alike, {seen[look]!r} and {name!r}")
        seen[look] = name
    return tuple(seen.values())


def joins(name: str, at: int) -> bool:
    """Whether the joiner there is between two characters that are seen, or shapes the letter before it."""
    before, after = name[:at], name[at + 1 :]
    if not before or before[-1] in JOINERS or not before[-1].strip() or not UNSEEN.sub("", before):
        return False
    return unicodedata.combining(before[-1]) == VIRAMA or (UNSEEN.sub("", after[:1]).strip() != "")
