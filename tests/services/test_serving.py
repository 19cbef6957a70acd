"""Roll-back: an earlier model serves until it is released, over restarts, and no newer one in its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from lightbulb.config import Config
from lightbulb.errors import Conflict, NotFound, StoreError
from lightbulb.records import Batch
from lightbulb.services import learner, reporting
from lightbulb.services.assemble import Workspace
from lightbulb.services.production import open_production
from support import answer, config_for, learn, opened


@pytest.fixture
def config(pool: Path, tmp_path: Path) -> Config:
    return config_for(tmp_path, pool, model={"keep": 3})


@pytest.fixture
def grown(config: Config, truth: Mapping[str, str]) -> Iterator[Workspace]:
    """Models 1, 2 and 3, of 20, 25 and 30 labels."""
    with opened(config) as workspace:
        learn(workspace)
        for count in (20, 5, 5):
            answer(workspace, truth, count)
            learn(workspace)
        assert workspace.models.versions() and version_of(workspace) == 3
        yield workspace


def version_of(workspace: Workspace) -> int:
    assert workspace.learner.snapshot is not None
    return workspace.learner.snapshot.version


def picture(workspace: Workspace) -> bytes:
    return sorted(workspace.config.dataset.directory.iterdir())[0].read_bytes()


def test_an_earlier_model_serves_with_its_own_scores_and_accuracy(grown: Workspace) -> None:
    newest = grown.learner.snapshot
    grown.serving.choose(1)
    learn(grown)
    chosen = grown.learner.snapshot
    assert chosen is not None and newest is not None
    row = grown.history.rows()[0]
    assert (chosen.version, chosen.labels) == (1, 20)
    assert (chosen.accuracy.value if chosen.accuracy else None) == row["accuracy"]
    scored = grown.scoring.score_bytes([picture(grown)])
    assert scored.model_version == 1
    np.testing.assert_allclose(scored.scores[0], chosen.probs[0], atol=2e-3)
    assert not np.allclose(chosen.probs, newest.probs)
    assert any("Model 1 serves" in text for _, text in reporting.status(grown).banners)


def test_answers_are_kept_and_learnt_only_after_the_release(
    grown: Workspace, truth: Mapping[str, str]
) -> None:
    grown.serving.choose(2)
    learn(grown)
    answer(grown, truth, 5)
    learn(grown)
    assert version_of(grown) == 2 and len(grown.history.rows()) == 3
    assert not grown.learner.status().active
    grown.serving.release()
    learn(grown)
    newest = grown.learner.snapshot
    assert newest is not None and (newest.version, newest.labels) == (4, 35)
    assert grown.learner.status().active and not [
        b for b in reporting.status(grown).banners if "serves" in b[1]
    ]


def test_released_without_new_answers_the_newest_serves_as_it_was(grown: Workspace) -> None:
    before = grown.learner.snapshot
    grown.serving.choose(1)
    learn(grown)
    grown.serving.release()
    learn(grown)
    after = grown.learner.snapshot
    assert before is not None and after is not None and after.version == before.version == 3
    np.testing.assert_allclose(after.probs, before.probs, atol=1e-5)


def test_the_choice_survives_a_restart_and_production_heeds_it(
    grown: Workspace, config: Config, truth: Mapping[str, str]
) -> None:
    grown.serving.choose(1)
    learn(grown)
    answer(grown, truth, 5)
    grown.database.close()
    with opened(config) as again:
        learn(again)
        assert (again.serving.pinned, version_of(again)) == (1, 1)
        production = open_production(config)
        assert production.snapshot.version == 1
        production.stop()
        again.serving.release()
        learn(again)
        assert version_of(again) == 4


def test_the_chosen_model_is_not_pruned_and_a_pruned_one_cannot_be_chosen(
    grown: Workspace, truth: Mapping[str, str]
) -> None:
    answer(grown, truth, 2)
    learn(grown)
    assert sorted(grown.models.versions()) == [2, 3, 4]
    with pytest.raises(NotFound, match="model 1 is not kept"):
        grown.serving.choose(1)
    grown.models.pin(2)  # as if chosen while models were being made
    for _ in range(3):
        answer(grown, truth, 2)
        learn(grown)
    assert sorted(grown.models.versions()) == [2, 5, 6, 7]


def test_a_model_that_was_being_trained_meanwhile_is_kept_but_does_not_serve(
    grown: Workspace, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = grown.models.save

    def choosing_meanwhile(*args: object) -> None:
        grown.serving.choose(2)
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(grown.models, "save", choosing_meanwhile)
    answer(grown, truth, 2)
    learn(grown)
    assert version_of(grown) == 2 and 4 in grown.models.versions()


def test_files_that_come_later_are_scored_by_the_chosen_model(
    grown: Workspace, pool: Path, digits: Path
) -> None:
    grown.serving.choose(1)
    learn(grown)
    (pool / "new.png").write_bytes((digits / "digits" / "1000.png").read_bytes())
    grown.rescan()
    learn(grown)
    snapshot = grown.learner.snapshot
    assert snapshot is not None and (snapshot.version, len(snapshot.item_ids)) == (1, 61)


def another_encoder(config: Config) -> Config:
    return config.model_copy(update={"model": config.model.model_copy(update={"image_size": 96})})


def test_the_pool_is_encoded_anew_for_a_chosen_model_of_a_former_encoder(
    grown: Workspace, config: Config, pool: Path, digits: Path
) -> None:
    grown.serving.choose(1)
    learn(grown)
    before = grown.learner.snapshot
    assert before is not None
    grown.database.close()
    shutil.rmtree(config.embeddings_directory)
    with opened(another_encoder(config)) as again:
        again.learner.step()
        assert version_of(again) == 1 and again.learner.status().encoded == 0
        learn(again)
        after = again.learner.snapshot
        assert after is not None and (after.version, after.encoder_fingerprint) == (
            1,
            before.encoder_fingerprint,
        )
        np.testing.assert_array_equal(after.item_ids, before.item_ids)
        np.testing.assert_allclose(after.probs, before.probs, atol=1e-4)
        assert again.encoded.count == 60 == again.learner.status().encoded  # and for the next one as well
        (pool / "new.png").write_bytes((digits / "digits" / "1000.png").read_bytes())
        again.rescan()
        learn(again)
        assert again.learner.snapshot is not None and len(again.learner.snapshot.item_ids) == 61
        again.serving.release()
        learn(again)
        newest = again.learner.snapshot
        assert newest is not None and newest.encoder_fingerprint != before.encoder_fingerprint
        (pool / "newer.png").write_bytes((digits / "digits" / "1001.png").read_bytes())
        again.rescan()
        again.serving.choose(2)  # what came while another served is scored as well
        learn(again)
        assert version_of(again) == 2 and len(again.learner.snapshot.item_ids) == 62


@pytest.mark.parametrize("chosen", [False, True])
def test_a_former_encoders_model_without_its_embeddings_says_what_it_lacks(
    grown: Workspace, config: Config, chosen: bool
) -> None:
    def told(workspace: Workspace) -> bool:
        return any("another encoder, which" in text for _, text in reporting.status(workspace).banners)

    if chosen:
        grown.serving.choose(3)
        learn(grown)
    assert not told(grown)
    grown.database.close()
    with opened(another_encoder(config)) as again:  # the embeddings are there: all is scored
        again.learner.step()
        assert version_of(again) == 3 and not told(again)
    shutil.rmtree(config.embeddings_directory)
    with opened(another_encoder(config)) as again:
        again.learner.step()
        assert again.scoring.score_bytes([picture(again)]).model_version == 3 and told(again)
        learn(again)
        assert (version_of(again) == 3) == chosen and not told(again)


def test_a_choice_that_fails_on_the_way_is_tried_again(
    grown: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, failures = learner.snapshot_of, [OSError("no space left"), StoreError("the disk is away")]

    def failing(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return original(*arguments)

    monkeypatch.setattr(learner, "snapshot_of", failing)
    grown.serving.choose(1)
    for _ in range(2):
        with pytest.raises((OSError, StoreError)):
            grown.learner.step()
        assert version_of(grown) == 3
        assert [b for b in reporting.status(grown).banners if "chosen to serve, and is not ready" in b[1]]
    learn(grown)
    assert version_of(grown) == 1 == grown.serving.pinned


def test_a_chosen_model_with_arrays_that_fit_nothing_is_given_up(grown: Workspace) -> None:
    save_file({"nonsense": np.zeros(3, np.float32)}, grown.models.folder(1) / "model.safetensors")
    grown.serving.choose(1)
    learn(grown)
    assert (grown.serving.pinned, version_of(grown)) == (None, 3)
    assert any("it is damaged" in text for _, text in reporting.status(grown).banners)


def test_a_choice_that_changes_while_a_model_is_read(
    grown: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = grown.models.load

    def choosing_another(version: int) -> Any:
        found = load(version)
        monkeypatch.setattr(grown.models, "load", load)
        grown.serving.choose(2)
        return found

    grown.serving.choose(1)
    monkeypatch.setattr(grown.models, "load", choosing_another)
    learn(grown)
    assert version_of(grown) == 2 == grown.serving.pinned


def test_one_of_other_classes_or_damaged_cannot_be_chosen(grown: Workspace) -> None:
    card = grown.models.folder(2) / "model.json"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('"classes": [\n    "0"', '"classes": [\n    "zero"'), encoding="utf-8")
    with pytest.raises(Conflict, match="its classes are others"):
        grown.serving.choose(2)
    card.write_text("{", encoding="utf-8")
    with pytest.raises(Conflict, match="cannot be read"):
        grown.serving.choose(2)
    learn(grown)
    assert version_of(grown) == 3 and grown.serving.pinned is None


def test_a_chosen_model_that_is_damaged_at_the_start_is_said_and_released(
    grown: Workspace, config: Config
) -> None:
    grown.serving.choose(2)
    (grown.models.folder(2) / "model.safetensors").write_bytes(b"no")
    grown.database.close()
    with opened(config) as again:
        learn(again)
        assert (again.serving.pinned, version_of(again)) == (None, 3)
        assert any("which was chosen to serve, cannot" in text for _, text in reporting.status(again).banners)


def test_a_failed_audit_quiets_the_chosen_model_until_its_thresholds_heed_it(grown: Workspace) -> None:
    grown.serving.choose(1)
    learn(grown)
    before = grown.learner.snapshot
    item = int(grown.catalog.view.ids[grown.catalog.view.askable][0])
    number = grown.batches.add(batch_of(grown, item), threshold=0.9, client="")
    grown.batches.answer(
        grown.batches.get(number), {item: None}, "me", seconds=None, classes=grown.task.classes, leave_out=()
    )
    grown.batches.recall(number, 1)
    grown.catalog.refresh([item])
    assert before is not None and before.recalled < grown.catalog.view.recalled
    learn(grown)
    after = grown.learner.snapshot
    assert after is not None and (after.version, after.recalled) == (1, grown.catalog.view.recalled)


def batch_of(workspace: Workspace, item: int) -> Batch:
    key = workspace.items.get([item])[item].key
    return Batch(0, "3", 1, 1, (item,), (key,), (0.9,))
