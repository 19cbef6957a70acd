"""What several test folders need: a small real pool of digits, configs on it, a workspace stepped by hand."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightbulb.config import Config
from lightbulb.records import Answer
from lightbulb.services.assemble import Workspace, open_workspace

DIGIT_CLASSES = tuple(str(digit) for digit in range(10))


def config_for(folder: Path, directory: Path, **changes: Mapping[str, Any]) -> Config:
    """A config on `directory` that writes below `folder`; changes: whole sections, merged by key."""
    raw: dict[str, Any] = {
        "name": "test",
        "task": {"title": "Which digit?"},
        "dataset": {"directory": directory, "judgements_file": folder / "out" / "labels.csv"},
        "label": {"classes": DIGIT_CLASSES},
        "model": {"weights": "builtin", "image_size": 64},
    }
    for section, keys in changes.items():
        raw[section] = {**raw.get(section, {}), **keys}
    return Config.model_validate(raw)


def copy_digits(source: Path, target: Path, count: int) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.iterdir())[:count]:
        shutil.copy2(file, target / file.name)
    return target


def read_truth(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["path"]: row["label"] for row in csv.DictReader(file)}


@contextmanager
def opened(config: Config, **options: Any) -> Iterator[Workspace]:
    """A workspace whose learner is stepped by hand."""
    workspace = open_workspace(config, **options)
    try:
        yield workspace
    finally:
        workspace.learner.stop()
        workspace.database.close()


def learn(workspace: Workspace) -> None:
    """Everything the learner has to do now."""
    while workspace.learner.step():
        pass


def answer(workspace: Workspace, truth: Mapping[str, str], count: int) -> list[int]:
    """Answers `count` questions rightly; returns the items asked about."""
    asked: list[int] = []
    while len(asked) < count:
        questions, _ = workspace.asking.next_questions(min(5, count - len(asked)))
        assert questions, f"no more questions after {len(asked)}"
        workspace.labeling.save([Answer(one.item, truth[one.key], 1.0) for one in questions])
        asked += [one.item for one in questions]
    return asked
