"""What keeps a pool of a million items quick must not change what a small one sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lightbulb.records import Answer, positions_in
from lightbulb.services import asking
from lightbulb.services.assemble import Workspace
from lightbulb.services.catalog import Catalog
from lightbulb.services.listing import KeyIndex, Listing
from lightbulb.services.uploading import SentFile
from support import answer, config_for, copy_digits, learn, opened


def as_if_opened_anew(workspace: Workspace) -> Catalog:
    return Catalog(workspace.items, workspace.labels, workspace.batches, workspace.config.classes)


def assert_up_to_date(workspace: Workspace) -> None:
    view, fresh = workspace.catalog.view, as_if_opened_anew(workspace).view
    for name in (
        "ids", "labels", "sources", "given_at", "asked", "skipped_at", "orphaned", "doubts",
        "broken", "held_out", "draws",
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(view, name), getattr(fresh, name), err_msg=name)
    assert view.keys == fresh.keys
    barred, expected = (set(zip(one.barred_items, one.barred_labels, strict=True)) for one in (view, fresh))
    assert barred == expected
    assert (view.last_action, view.recalled) == (fresh.last_action, fresh.recalled)
    assert workspace.labels.frontier(workspace.config.classes) == fresh.frontier
    counts = workspace.confirming.counts()
    workspace.confirming._sure = workspace.confirming._proposed = None
    assert counts == workspace.confirming.counts()


def test_the_view_follows_every_step_as_if_read_anew(
    digits: Path, truth: Mapping[str, str], tmp_path: Path
) -> None:
    directory = copy_digits(digits / "digits", tmp_path / "pool", 200)
    config = config_for(tmp_path, directory, auto_label={"confidence": 0.6, "batch_size": 10})
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 60)
        learn(workspace)
        assert_up_to_date(workspace)
        asked, _ = workspace.asking.next_questions(2)
        workspace.labeling.save([Answer(one.item, None) for one in asked])
        assert workspace.catalog.view.skipped.sum() == 2
        assert_up_to_date(workspace)
        for refused in (2, 10, 0):
            batch = workspace.confirming.next_batch(client=str(refused))
            if batch is None:
                break
            workspace.confirming.answer(batch.id, dict.fromkeys(batch.items[:refused]))
            assert_up_to_date(workspace)
        for _ in range(6):
            workspace.labeling.undo()
            assert_up_to_date(workspace)


def test_the_view_follows_bulk_steps_and_added_files(workspace: Workspace, pool: Path) -> None:
    learn(workspace)
    workspace.labeling.save([Answer(3, "1"), Answer(4, None)])
    (pool / "0007.png").unlink()
    data = (pool / "0008.png").read_bytes()
    workspace.rescan()
    assert_up_to_date(workspace)
    workspace.uploading.add([SentFile("a/new.png", data + b"!"), SentFile("0007.png", data + b"?")])
    assert len(workspace.catalog.view.ids) == 61 and not workspace.catalog.view.broken.any()
    assert_up_to_date(workspace)
    workspace.labeling.save_together([Answer(item, "2") for item in (3, 5, 61)])
    assert_up_to_date(workspace)
    workspace.labeling.remove([3, 61])
    assert_up_to_date(workspace)
    for _ in range(4):
        workspace.labeling.undo()
        assert_up_to_date(workspace)


def test_positions_with_and_without_gaps() -> None:
    wanted = np.array([3, 0, 9, 5, -1, 4])
    assert positions_in(np.array([3, 4, 5]), wanted).tolist() == [0, -1, -1, 2, -1, 1]
    assert positions_in(np.array([3, 5, 8]), wanted).tolist() == [0, -1, -1, 1, -1, -1]
    assert positions_in(np.array([], dtype=np.int64), wanted).tolist() == [-1] * 6


def test_masks_that_all_share_cannot_be_written(workspace: Workspace) -> None:
    view = workspace.catalog.view
    with pytest.raises(ValueError, match="read-only"):
        view.askable[0] = False


def test_of_a_large_pool_a_strategy_sees_a_sample(
    workspace: Workspace, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_IN_POOL", 12)
    learn(workspace)
    asked = answer(workspace, truth, 60)
    assert len(set(asked)) == 60  # each once, down to the last


def test_what_is_encoded_is_sampled_first(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_IN_POOL", 12)
    learn(workspace)
    workspace.encoded._rows[20:] = -1
    workspace.encoded._waiting[20:] = True
    workspace.encoded._tally()
    view = workspace.catalog.view
    chosen = workspace.asking._candidates(view, view.askable, 5)
    assert 5 < len(chosen) <= 20 and chosen.max() < 20


def test_search_is_by_any_part_of_a_key_and_ignores_ascii_case() -> None:
    keys = ("b/Cat 1.png", "a/dog.png", "É.png", "b/cat%.png", "caca t.png")
    index = KeyIndex.of(keys)
    assert [keys[at] for at in index.order] == sorted(keys)
    for text in ("cat", "CAT", "É", "%", "b/c", "png", ".pngb", "t.", "zebra", "cat 1.png" * 3):
        expected = [text.lower() in key.lower() for key in keys]
        assert index.matching(text).tolist() == expected, text


def test_the_list_follows_a_rescan(workspace: Workspace, pool: Path) -> None:
    listing = Listing()
    assert listing.matching(workspace.catalog.view, "0001").sum() == 1
    (pool / "00001.png").write_bytes((pool / "0001.png").read_bytes())
    workspace.rescan()
    view = workspace.catalog.view
    assert listing.matching(view, "0001").sum() == 2
    assert [view.keys[at] for at in listing.by_key(view)] == sorted(view.keys)
