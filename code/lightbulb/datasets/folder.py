"""A folder of items, the truth beside it, and the YAML that puts a folder of one's own to work."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightbulb.errors import DatasetError
from lightbulb.files import TEMPORARY_PREFIX, write_atomically

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})


# --- what every recipe writes --------------------------------------------------------------------


def truth_path(root: Path, name: str) -> Path:
    """Where the right answers of dataset `name` are: beside its folder, never in it."""
    return root / f"{name}.truth.csv"


def write_truth(root: Path, name: str, truth: Mapping[str, str]) -> None:
    """truth: label by path relative to `root/name`. Written last: its presence says the rest is there."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["path", "label"])
    writer.writerows(sorted(truth.items()))
    write_atomically(truth_path(root, name), table.getvalue().encode())


def read_truth(root: Path, name: str) -> dict[str, str]:
    """Label by path; empty if there is no truth file."""
    try:
        with truth_path(root, name).open(encoding="utf-8", newline="") as file:
            return {row["path"]: row["label"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}


def is_complete(root: Path, name: str, n_items: int | None = None) -> bool:
    """Whether every item the truth file names is there (and there are `n_items`, where that is known)."""
    truth = read_truth(root, name)
    right_count = bool(truth) if n_items is None else len(truth) == n_items
    return right_count and all((root / name / path).is_file() for path in truth)


def remove_leftovers(directory: Path) -> None:
    """Removes the temporary files of a run that was killed while it wrote."""
    for path in directory.glob(f"{TEMPORARY_PREFIX}*"):
        path.unlink(missing_ok=True)


def anonymous_names(suffixes: Sequence[str], seed: int) -> list[str]:
    """One name for each item, such as 0417.png, that tells neither its class nor its place.

    suffixes: of the items in their original order, which the names returned are in too.
    """
    width = max(4, len(str(len(suffixes) - 1)))
    places = np.random.default_rng(seed).permutation(len(suffixes))
    return [f"{place:0{width}d}{suffix}" for place, suffix in zip(places, suffixes, strict=True)]


# --- lightbulb dataset import --------------------------------------------------------------------


@dataclass(frozen=True)
class Imported:
    """What an import brought. `skipped`: how many files of each suffix were no images."""

    name: str
    directory: Path
    config: Path
    truth: Path | None
    classes: tuple[str, ...]
    n_items: int
    skipped: Mapping[str, int]


def import_folder(
    source: Path,
    root: Path,
    *,
    name: str | None = None,
    classes: Sequence[str] = (),
    by_class: bool = False,
    config_directory: Path = Path("config"),
    seed: int = 0,
) -> Imported:
    """Copies the images under `source` to `root/NAME/` and writes a starter `config/NAME.yml`.

    Relative paths are kept. With `by_class` the first folder of each path is the image's class: the
    images are flattened and renamed so that names give nothing away, and the classes go to
    `root/NAME.truth.csv`. A folder that lies at `root/NAME` already stays as it is.

    Raises: DatasetError if there is nothing to import, the classes do not fit, or a dataset or config
    of that name exists. Nothing has been written then.
    """
    if not source.is_dir():
        raise DatasetError(f"{source} is not a folder")
    name = _checked_name(name, source)
    directory, config = root / name, config_directory / f"{name}.yml"
    in_place = directory.resolve() == source.resolve() and not by_class
    if not in_place:
        _refuse_overlap(source, directory)
    if config.exists():
        raise DatasetError(f"{config} exists already: choose another --name, or remove it first")

    images, skipped = _find_images(source)
    if by_class:
        class_of = _classes_by_folder(source, images)
        classes = _checked_classes(classes or sorted(set(class_of)))
        _refuse_unknown(class_of, classes)
        suffixes = [path.suffix.lower() for path in images]
        targets = anonymous_names(suffixes, seed)
        write_truth(root, name, dict(zip(targets, class_of, strict=True)))
    else:
        classes = _checked_classes(classes)
        targets = [path.as_posix() for path in images]
    if not in_place:
        _copy_all(source, images, directory, targets)
    write_atomically(config, starter_config(name, directory, classes).encode())
    truth = truth_path(root, name) if by_class else None
    return Imported(name, directory, config, truth, tuple(classes), len(images), skipped)


def starter_config(name: str, directory: Path, classes: Iterable[str]) -> str:
    """A commented YAML for an imported folder, ready to be served."""

    def quoted(value: str) -> str:
        return json.dumps(value, ensure_ascii=False)  # JSON's strings are YAML's too

    class_lines = "\n".join(f"    - {quoted(label)}" for label in classes)
    return f"""\
# Made by `lightbulb dataset import`. Change what you like. Start it with
#
#     .virt/bin/python code/server.py --config config/{name}.yml
#
# Every other key is shown, with its default, in config/digits.yml.

task:
  title: {quoted(f"Which is it? ({name})")}
  description: Choose the class that fits best.

dataset:
  directory: {quoted(directory.as_posix())}
  data_type: images
  judgements_file: outputs/{name}/labels.csv

label:
  type: classification
  classes:
{class_lines}

model:
  directory: outputs/{name}/models

user: me
"""


def _checked_name(name: str | None, source: Path) -> str:
    if name is None:
        name = re.sub(r"[^a-z0-9]+", "_", source.resolve().name.lower()).strip("_")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise DatasetError("choose a --name of letters, digits, - and _ for the dataset")
    return name


def _checked_classes(classes: Sequence[str]) -> list[str]:
    if not classes:
        raise DatasetError(
            'name the classes, as in --classes "Cat,Not Cat", or use --by-class where each is a folder'
        )
    repeated = [label for label, count in Counter(classes).items() if count > 1]
    if repeated:
        raise DatasetError(f"the class {repeated[0]!r} is named twice")
    if not all(label.strip() for label in classes):
        raise DatasetError("a class has an empty name")
    if len(classes) < 2:
        raise DatasetError(f"two or more classes are needed, and there is only {classes[0]!r}")
    return list(classes)


def _refuse_overlap(source: Path, directory: Path) -> None:
    if directory.exists():
        raise DatasetError(f"{directory} exists already: choose another --name, or remove it first")
    if directory.resolve().is_relative_to(source.resolve()):
        raise DatasetError(f"{directory} would lie inside {source}: import a folder that does not contain it")


def _find_images(source: Path) -> tuple[list[Path], dict[str, int]]:
    """(image paths relative to source, sorted; count of other files by suffix). Hidden files stay out."""
    images: list[Path] = []
    skipped: Counter[str] = Counter()
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if any(part.startswith(".") for part in relative.parts) or path.is_dir():
            continue
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(relative)
        else:
            skipped[path.suffix.lower() or "no suffix"] += 1
    if not images:
        known = ", ".join(sorted(suffix.lstrip(".") for suffix in IMAGE_SUFFIXES))
        raise DatasetError(f"there are no images ({known}) in {source}")
    return images, dict(sorted(skipped.items()))


def _classes_by_folder(source: Path, images: Sequence[Path]) -> list[str]:
    loose = [path for path in images if len(path.parts) == 1]
    if loose:
        raise DatasetError(
            f"--by-class takes each folder in {source} for a class, and {loose[0]} lies in none"
            + (f" (nor do {len(loose) - 1} others)" if len(loose) > 1 else "")
        )
    return [path.parts[0] for path in images]


def _refuse_unknown(class_of: Sequence[str], classes: Sequence[str]) -> None:
    unknown = sorted(set(class_of) - set(classes))
    if unknown:
        raise DatasetError(f"--classes leaves out the folder {unknown[0]!r}")


def _copy_all(source: Path, images: Sequence[Path], directory: Path, targets: Sequence[str]) -> None:
    """Copies beside `directory` and renames at the end, so that it is there whole or not at all."""
    unfinished = directory.with_name(f".{directory.name}.unfinished")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(unfinished)
    for image, target in zip(images, targets, strict=True):
        copy = unfinished / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / image, copy)
    unfinished.rename(directory)
