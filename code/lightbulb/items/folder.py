"""The folder as a pool: which files are items, and which of them can't be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lightbulb.errors import InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})


@dataclass(frozen=True)
class FoundFile:
    """One file of the pool. key: path below the folder, with `/`. problem: why it can't be used."""

    key: str
    size: int
    mtime_ns: int
    problem: str | None = None


def scan_folder(root: Path, suffixes: frozenset[str], *, follow_links: bool = False) -> Iterator[FoundFile]:
    """Every file below `root` with one of the suffixes, hidden ones left out, in order of path.

    A link that leads out of the folder is reported with a problem unless `follow_links`.
    """
    real_root = root.resolve()
    yield from _scan(root, "", real_root, suffixes, follow_links, frozenset({real_root}))


def _scan(
    directory: Path,
    prefix: str,
    root: Path,
    suffixes: frozenset[str],
    follow_links: bool,
    above: frozenset[Path],
) -> Iterator[FoundFile]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        yield FoundFile(prefix or ".", 0, 0, f"folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith((".", "__MACOSX")):
            continue
        key = prefix + entry.name
        leads_out = entry.is_symlink() and not follow_links and not _inside(Path(entry.path), root)
        if Path(entry.path).is_dir():  # unlike the entry's own, no error for a link to itself
            real = Path(entry.path).resolve()
            if leads_out:
                yield FoundFile(
                    _printable(key), 0, 0, "a link out of the dataset folder (see dataset.follow_links)"
                )
            elif real not in above:  # a link to a folder above itself would never end
                yield from _scan(Path(entry.path), f"{key}/", root, suffixes, follow_links, above | {real})
        elif Path(entry.name).suffix.lower() in suffixes:
            yield _look_at(entry, key, leads_out)


def _look_at(entry: os.DirEntry[str], key: str, leads_out: bool) -> FoundFile:
    if _printable(key) != key:
        return FoundFile(_printable(key), 0, 0, "its file name is not valid UTF-8")
    if leads_out:
        return FoundFile(key, 0, 0, "a link out of the dataset folder (see dataset.follow_links)")
    try:
        status = entry.stat()
    except OSError as error:
        return FoundFile(key, 0, 0, f"cannot be read: {error.strerror}")
    problem = "the file is empty (0 bytes)" if status.st_size == 0 else None
    return FoundFile(key, status.st_size, status.st_mtime_ns, problem)


def _inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)  # resolve() fails on a link to itself


def _printable(key: str) -> str:
    return key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def folder_has_items(root: Path, suffixes: frozenset[str], *, follow_links: bool = False) -> bool:
    """Whether there is at least one file to label, usable or not."""
    return next(scan_folder(root, suffixes, follow_links=follow_links), None) is not None


def key_below(path: str, root: Path) -> str:
    """The key of a path as a person writes it: relative to `root` or absolute, `/` or `\\`.

    Raises: InputError if the path leads outside `root`.
    """
    text = path.strip().replace("\\", "/")
    if text.startswith("/"):
        try:
            text = Path(text).relative_to(root.resolve()).as_posix()
        except ValueError:
            raise InputError(f"{path!r} is outside the dataset folder", code="outside_dataset") from None
    parts = [part for part in PurePosixPath(text).parts if part != "."]
    if not parts or ".." in parts:
        raise InputError(f"{path!r} is outside the dataset folder", code="outside_dataset")
    return "/".join(parts)
