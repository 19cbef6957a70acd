"""Names of files that come from elsewhere: below the folder, visible, and never a path out of it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

LONGEST_PART = 240  # bytes in UTF-8, of the 255 that file systems take: room for a number
LONGEST_SUFFIX = 20  # bytes
MOST_FOLDERS = 12  # the whole of a key stays far below the 4096 bytes of a path


def safe_key(name: str) -> str:
    """A file's name or path as a browser sends it → a key below the dataset's folder.

    Folders are kept; `..`, drive letters and leading dots are not (hidden files are no items). Empty if
    nothing is left of it.
    """
    parts = [_safe_part(part) for part in name.replace("\\", "/").split("/")]
    parts = [part for part in parts if part]
    return "/".join([*parts[:-1][:MOST_FOLDERS], *parts[-1:]])


def _safe_part(part: str) -> str:
    text = unicodedata.normalize("NFC", part)
    text = "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cs", "Cf"))
    text = text.strip().lstrip(".").strip()
    if text.startswith("__MACOSX") or (len(text) == 2 and text[1] == ":"):
        return ""
    stem, suffix = Path(text).stem, Path(text).suffix
    if len(suffix.encode()) > LONGEST_SUFFIX:  # a dot in a sentence
        stem, suffix = text, ""
    return _at_most(LONGEST_PART - len(suffix.encode()), stem) + suffix


def _at_most(size: int, text: str) -> str:
    """The beginning of the text that is no longer than `size` bytes; no character is cut in two."""
    return text.encode()[:size].decode(errors="ignore")


def numbered(key: str, number: int) -> str:
    """cats/a.jpg, 2 → cats/a-2.jpg"""
    folder, slash, name = key.rpartition("/")
    path = Path(name)
    return f"{folder}{slash}{path.stem}-{number}{path.suffix}"
