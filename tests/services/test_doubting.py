"""Suspects, conflicting copies, copies of held-out items, and the outlook, on real digits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightbulb.records import Answer
from lightbulb.services import fitting
from lightbulb.services.assemble import Workspace
from support import answer, config_for, copy_digits, learn, opened


@pytest.fixture
def taught(digits: Path, truth: Mapping[str, str], tmp_path: Path) -> Iterator[Workspace]:
    directory = copy_digits(digits / "digits", tmp_path / "pool", 300)
    with opened(config_for(tmp_path, directory)) as workspace:
        learn(workspace)
        answer(workspace, truth, 150)
        learn(workspace)
        yield workspace


def mislabel(workspace: Workspace, truth: Mapping[str, str], count: int) -> dict[int, str]:
    """Gives random items that teach the next digit as label; returns their true ones."""
    view = workspace.catalog.view
    at = np.random.default_rng(3).choice(np.flatnonzero(view.teaching), count, replace=False)
    right = {int(view.ids[one]): truth[view.keys[one]] for one in at}
    workspace.labeling.save([Answer(item, str((int(label) + 1) % 10), 1.0) for item, label in right.items()])
    learn(workspace)
    return right


def test_wrong_labels_are_suspected_until_they_are_mended_or_kept(
    taught: Workspace, truth: Mapping[str, str]
) -> None:
    right = mislabel(taught, truth, 10)
    found = {item.item: suspect for item, suspect in taught.doubting.suspects()}
    caught = set(right) & set(found)
    assert len(caught) >= 3
    assert sum(found[item].suggested == right[item] for item in caught) >= 3
    worst = [item.item for item, _ in taught.doubting.suspects()][:8]
    assert len(set(worst) & set(right)) >= 3
    mended, kept = sorted(caught)[:2]
    taught.labeling.save([Answer(mended, right[mended]), Answer(kept, found[kept].label)])
    again = {item.item for item, _ in taught.doubting.suspects()}
    assert not {mended, kept} & again and again >= caught - {mended, kept}
    learn(taught)
    assert kept not in {item.item for item, _ in taught.doubting.suspects()}


def test_held_out_items_are_never_suspected(taught: Workspace, truth: Mapping[str, str]) -> None:
    view = taught.catalog.view
    at = np.flatnonzero(view.measured)[:5]
    taught.labeling.save(
        [Answer(int(view.ids[one]), str((int(truth[view.keys[one]]) + 1) % 10)) for one in at]
    )
    learn(taught)
    assert not {int(view.ids[one]) for one in at} & {item.item for item, _ in taught.doubting.suspects()}


def save_copy(source: Path, target: Path) -> None:
    """The same picture in another file: saved anew as JPEG."""
    with Image.open(source) as image:
        image.convert("RGB").save(target, quality=95)


def test_copies_with_different_labels_are_a_conflict(taught: Workspace, truth: Mapping[str, str]) -> None:
    view, root = taught.catalog.view, taught.config.dataset.directory
    original = view.keys[int(np.flatnonzero(view.teaching)[0])]
    save_copy(root / original, root / "copy.jpg")
    assert taught.doubting.conflicts() == []
    taught.rescan()
    learn(taught)
    view = taught.catalog.view
    copy = int(view.ids[view.keys.index("copy.jpg")])
    taught.labeling.save([Answer(copy, truth[original])])
    learn(taught)
    assert taught.doubting.conflicts() == []
    other = str((int(truth[original]) + 1) % 10)
    taught.labeling.save([Answer(copy, other)])
    conflict = taught.doubting.conflicts()
    assert len(conflict) == 1
    assert {(item.key, item.label) for item in conflict[0].items} == {
        (original, truth[original]), ("copy.jpg", other)
    }  # fmt: skip


def test_copies_of_held_out_items_never_train(digits: Path, truth: Mapping[str, str], tmp_path: Path) -> None:
    directory = copy_digits(digits / "digits", tmp_path / "pool", 100)
    config = config_for(tmp_path, directory)
    with opened(config) as workspace:
        view = workspace.catalog.view
        held_out = [view.keys[at] for at in np.flatnonzero(view.held_out)][:8]
        for index, key in enumerate(held_out):
            save_copy(directory / key, directory / f"copy{index}.jpg")
        workspace.rescan()
        learn(workspace)
        view = workspace.catalog.view
        copies = [f"copy{index}.jpg" for index in range(len(held_out))]
        at = [view.keys.index(key) for key in copies]
        teaching = [one for one in at if not view.held_out[one]]
        assert len(teaching) >= 3
        workspace.labeling.save(
            [Answer(int(view.ids[one]), truth[held_out[copies.index(view.keys[one])]]) for one in at]
        )
        answer(workspace, truth, 30)
        learn(workspace)
        snapshot = workspace.learner.snapshot
        assert snapshot is not None
        view = workspace.catalog.view
        assert snapshot.metrics["left_out"] >= len(teaching) - 1  # one may differ more than a copy should
        assert snapshot.trained_on == int(view.teaching.sum()) - snapshot.metrics["left_out"]


def test_the_same_bytes_twice_never_train_either(
    digits: Path, truth: Mapping[str, str], tmp_path: Path
) -> None:
    directory = copy_digits(digits / "digits", tmp_path / "pool", 60)
    with opened(config_for(tmp_path, directory)) as workspace:
        view = workspace.catalog.view
        held_out = [view.keys[at] for at in np.flatnonzero(view.held_out)][:4]
        for index, key in enumerate(held_out):
            shutil.copy(directory / key, directory / f"same{index}.png")
        workspace.rescan()
        learn(workspace)
        view = workspace.catalog.view
        at = [view.keys.index(f"same{index}.png") for index in range(4)]
        twins = workspace.encoded.twins_of_held_out(view, np.ones(len(view.ids), dtype=np.bool_))
        assert twins[at].all()


def test_a_model_teaches_itself_with_nothing_held_out(
    digits: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    original = fitting.fit_classifier

    def spying(decoder: Any, train: Any, held_out: Any, unlabelled: Any, *rest: Any) -> object:
        seen.append(unlabelled())
        return original(decoder, train, held_out, unlabelled, *rest)

    monkeypatch.setattr(fitting, "fit_classifier", spying)
    directory = copy_digits(digits / "digits", tmp_path / "pool", 60)
    with opened(config_for(tmp_path, directory)) as workspace:
        first = workspace.catalog.view
        known = dict(truth)
        for index, at in enumerate(np.flatnonzero(first.held_out)[:4]):
            shutil.copy(directory / first.keys[at], directory / f"same{index}.png")
            known[f"same{index}.png"] = truth[first.keys[at]]
        workspace.rescan()
        answer(workspace, known, 12)
        learn(workspace)
        view = workspace.catalog.view
        unlabelled = {row.tobytes() for row in seen[-1]}
        hidden = workspace.encoded.embeddings(workspace.encoded.rows(view.ids[view.held_out]))
        labelled = workspace.encoded.embeddings(workspace.encoded.rows(view.ids[view.labelled]))
        assert len(unlabelled) > 20
        assert not unlabelled & {row.tobytes() for row in np.concatenate([hidden, labelled])}


def test_the_outlook_is_of_what_is_left(taught: Workspace, truth: Mapping[str, str]) -> None:
    before = taught.outlooks.now()
    left = int(taught.catalog.view.askable.sum())
    assert before.actions_left is not None and 0 < before.actions_left <= left
    assert before.minutes_left is not None
    assert before.minutes_left == pytest.approx(
        left * 1.0 / 60, abs=0.06
    )  # a second for each, seen or answered
    while taught.catalog.view.askable.any():
        answer(taught, truth, min(10, int(taught.catalog.view.askable.sum())))
    learn(taught)
    after = taught.outlooks.now()
    assert (after.actions_left, after.minutes_left) == (0, 0.0)


def test_no_model_no_outlook(workspace: Workspace) -> None:
    found = workspace.outlooks.now()
    assert (found.gain, found.actions_left, found.minutes_left) == (None, None, None)
    assert workspace.doubting.suspects() == [] == workspace.doubting.conflicts()
