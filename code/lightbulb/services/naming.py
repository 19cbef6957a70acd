"""Names of files that come from elsewhere: below the folder, visible, and never a path out of it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

LONGEST_PART = 120  # characters: at most 255 bytes in UTF-8 for nearly any script, with room for a number
MOST_FOLDERS = 16


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
    return stem[: max(1, LONGEST_PART - len(suffix))] + suffix[:LONGEST_PART] if text else ""


def numbered(key: str, number: int) -> str:
    """cats/a.jpg, 2 → cats/a-2.jpg"""
    folder, slash, name = key.rpartition("/")
    path = Path(name)
    return f"{folder}{slash}{path.stem}-{number}{path.suffix}"
