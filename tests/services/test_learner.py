from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lightbulb.encoders.embed import CHUNK
from lightbulb.encoders.squeezenet import SqueezeNet
from lightbulb.errors import WeightsError
from lightbulb.records import Answer
from lightbulb.services.assemble import Workspace
from lightbulb.services.encoder_handle import EncoderHandle
from support import answer, config_for, learn, opened


def count_encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that go through the network from now on."""
    sizes: list[int] = []
    original = SqueezeNet.encode

    def counting(self: SqueezeNet, inputs: list[object]) -> object:
        sizes.append(len(inputs))
        return original(self, inputs)

    monkeypatch.setattr(SqueezeNet, "encode", counting)
    return sizes


def test_a_second_start_encodes_nothing(pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(config_for(tmp_path, pool)) as workspace:
        learn(workspace)
        assert workspace.learner.status().encoded == 60
    sizes = count_encoded(monkeypatch)
    with opened(config_for(tmp_path, pool)) as workspace:
        learn(workspace)
        assert workspace.learner.status().encoded == 60
    assert sizes == []


def test_encoding_goes_on_where_it_was_cut_off(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(config_for(tmp_path, pool)) as workspace:
        workspace.learner.step()
        workspace.learner.step()  # one chunk
    sizes = count_encoded(monkeypatch)
    with opened(config_for(tmp_path, pool)) as workspace:
        learn(workspace)
        assert workspace.learner.status().encoded == 60
    assert sum(sizes) == 60 - CHUNK


def test_nothing_is_encoded_after_the_stop(pool: Path, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with opened(config_for(tmp_path, pool)) as workspace:
        workspace.learner.step()
        workspace.learner.step()  # one chunk; others are in hand
        encoding = {one for one in threading.enumerate() if one.name.startswith("encode")} - before
        assert encoding
    assert not any(one.is_alive() for one in encoding)


def test_the_last_model_is_served_at_once_after_a_restart(
    pool: Path, truth: Mapping[str, str], tmp_path: Path
) -> None:
    config = config_for(tmp_path, pool)
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 30)
        learn(workspace)
        wrong = [int(item) for item in workspace.catalog.view.ids[workspace.catalog.view.teaching]][:3]
        keys = {one.item: one.value for one in workspace.labels.current(wrong)}
        workspace.labeling.save([Answer(item, str(9 - int(keys[item]))) for item in wrong])
        learn(workspace)
        before = workspace.learner.snapshot
    with opened(config) as workspace:
        workspace.learner.step()
        after = workspace.learner.snapshot
        assert before is not None and after is not None
        assert (after.version, after.labels, after.accuracy, after.suspects, after.recalled) == (
            before.version,
            before.labels,
            before.accuracy,
            before.suspects,
            before.recalled,
        )
        assert before.suspects
        np.testing.assert_allclose(after.probs, before.probs, atol=1e-5)
        learn(workspace)
        assert workspace.learner.snapshot is not None
        assert workspace.learner.snapshot.version == before.version  # nothing new to learn


def test_another_encoder_is_taken_up_while_the_former_one_serves(
    pool: Path, truth: Mapping[str, str], tmp_path: Path
) -> None:
    picture = sorted(pool.iterdir())[0].read_bytes()
    with opened(config_for(tmp_path, pool)) as workspace:
        learn(workspace)
        answer(workspace, truth, 30)
        learn(workspace)
        before = workspace.scoring.score_bytes([picture])
    changed = config_for(tmp_path, pool, model={"image_size": 96})
    with opened(changed) as workspace:
        assert workspace.learner.step()
        first = workspace.learner.snapshot
        assert first is not None and first.version == before.model_version and len(first.item_ids) == 60
        np.testing.assert_allclose(workspace.scoring.score_bytes([picture]).scores, before.scores, atol=1e-5)
        assert len(workspace.encoded.pending) and workspace.asking.next_questions(2)[0]
        versions = {first.version}
        while workspace.learner.step():
            snapshot = workspace.learner.snapshot
            assert snapshot is not None and workspace.scoring.score_bytes([picture]).scores.shape == (1, 10)
            versions.add(snapshot.version)
            assert snapshot.labels == 30, "a model of fewer labels must not take the place of this one"
        last = workspace.learner.snapshot
        assert last is not None and last.encoder_fingerprint != first.encoder_fingerprint
        assert len(last.item_ids) == 60 and len(versions) >= 2
        np.testing.assert_allclose(workspace.scoring.score_bytes([picture]).scores.sum(), 1, atol=1e-5)


def test_a_former_encoder_that_is_gone_is_said_and_not_mistaken(
    pool: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(config_for(tmp_path, pool)) as workspace:
        learn(workspace)
        answer(workspace, truth, 30)
        learn(workspace)

    def gone(self: EncoderHandle, made_with: Mapping[str, object]) -> EncoderHandle:
        raise WeightsError("no such file")

    monkeypatch.setattr(EncoderHandle, "like", gone)
    with opened(config_for(tmp_path, pool, model={"image_size": 96})) as workspace:
        workspace.learner.step()
        assert workspace.learner.snapshot is None
        learn(workspace)
        assert workspace.learner.snapshot is not None and workspace.learner.snapshot.labels == 30


def test_too_few_labels_or_one_class_make_no_model(workspace: Workspace, truth: Mapping[str, str]) -> None:
    learn(workspace)
    answer(workspace, truth, 9)
    learn(workspace)
    needed = workspace.learner.needed()
    assert workspace.learner.snapshot is None and needed is not None and needed.labels_missing == 1
    workspace.labeling.undo()
    answer(workspace, truth, 2)
    learn(workspace)
    assert workspace.learner.snapshot is not None
    assert workspace.learner.needed() is None


def test_one_class_only_says_what_is_missing(workspace: Workspace, truth: Mapping[str, str]) -> None:
    learn(workspace)
    answer(workspace, dict.fromkeys(truth, "3"), 12)
    learn(workspace)
    needed = workspace.learner.needed()
    assert workspace.learner.snapshot is None
    assert needed is not None and "another class" in needed.message


def test_labels_given_before_encoding_ends_are_learnt(workspace: Workspace, truth: Mapping[str, str]) -> None:
    answer(workspace, truth, 20)
    learn(workspace)
    assert workspace.learner.snapshot is not None and workspace.learner.snapshot.labels == 20


def test_a_failing_step_is_told_and_survived(
    pool: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightbulb.services import fitting as module

    calls = {"n": 0}
    original = module.fit_classifier

    def failing_once(*args: object, **kwargs: object) -> object:
        calls["n"] += 1
        if calls["n"] == 1:
            raise RuntimeError("out of luck")
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "fit_classifier", failing_once)
    with opened(config_for(tmp_path, pool)) as workspace:
        answer(workspace, truth, 20)
        workspace.learner.start()
        try:
            assert workspace.learner.wait_for(lambda snapshot: snapshot.labels == 20, 120) is not None
        finally:
            workspace.learner.stop()
    assert calls["n"] >= 2


def test_a_new_file_joins_after_a_rescan(
    workspace: Workspace, pool: Path, digits: Path, truth: Mapping[str, str]
) -> None:
    learn(workspace)
    (pool / "new.png").write_bytes((digits / "digits" / "1000.png").read_bytes())
    (pool / "0000.png").unlink()
    changes = workspace.rescan()
    assert (changes.added, changes.vanished) == (1, 1)
    learn(workspace)
    assert workspace.learner.status().encoded == 60
    assert int(workspace.catalog.view.broken.sum()) == 1


def test_score_equals_the_pool_prediction(trained: Workspace) -> None:
    """The same file through `/score`'s path and through the cache gives the same probabilities."""
    snapshot, view = trained.learner.snapshot, trained.catalog.view
    assert snapshot is not None
    files = [trained.config.dataset.directory / key for key in view.keys[:5]]
    scored = trained.scoring.score_bytes([file.read_bytes() for file in files])
    np.testing.assert_allclose(scored.scores, snapshot.probs[snapshot.rows_of(view.ids[:5])], atol=2e-3)


def test_no_proposals_before_the_accuracy_is_measured(workspace: Workspace, truth: Mapping[str, str]) -> None:
    learn(workspace)
    answer(workspace, truth, 15)
    learn(workspace)
    snapshot = workspace.learner.snapshot
    assert snapshot is not None and snapshot.accuracy is None
    assert sum(workspace.confirming.counts().values()) == 0
