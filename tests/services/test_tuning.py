"""`model.fine_tune`, a few steps of it on 60 digits. The gate is the real one unless a test opens it."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightbulb.config import Config
from lightbulb.encoders.squeezenet import SqueezeNet
from lightbulb.errors import ConfigError, Conflict, InputError, NotReady
from lightbulb.pretraining import fine_tune
from lightbulb.pretraining.fine_tune import Examples, FineTuning
from lightbulb.records import Answer
from lightbulb.services import fitting, learner, tuning
from lightbulb.services.assemble import Workspace
from lightbulb.services.packing import pack
from lightbulb.services.plugins import check_fine_tuning, read_config
from lightbulb.services.production import open_production
from lightbulb.services.tuning import left_out
from lightbulb.store.models import ModelFolder
from lightbulb.torch_setup import torch
from lightbulb.training.compare import Comparison
from support import answer, config_for, learn, opened

ALIVE = 2
BETTER = Comparison(0.1, 0.001, 0.1, 0.8, 0.9, 20)
WORSE = Comparison(-0.1, 0.999, -0.1, 0.9, 0.8, 20)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts with few labels, of few steps, each step a slice."""
    for name, value in (("FEWEST_LABELS", 25), ("FEWEST_HELD_OUT", 5), ("FEWEST_OF_A_CLASS", 2)):
        monkeypatch.setattr(tuning, name, value)
    monkeypatch.setattr(tuning, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(fine_tune, "FEWEST_STEPS", 3)
    monkeypatch.setattr(fine_tune, "EPOCHS", 1)


@pytest.fixture
def config(pool: Path, tmp_path: Path) -> Config:
    return config_for(tmp_path, pool, model={"fine_tune": True})


def open_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "compare_encoders", lambda *arguments: BETTER)


def tuned_files(config: Config) -> list[str]:
    return sorted(file.name for file in (config.model_directory / "tuned").glob("*.safetensors"))


def taught(workspace: Workspace, truth: Mapping[str, str], count: int = 40) -> None:
    learn(workspace)
    answer(workspace, truth, count)
    learn(workspace)


def base_fingerprint(workspace: Workspace) -> str:
    return workspace.encoder.get().fingerprint


def version_of(workspace: Workspace) -> tuple[int, str]:
    snapshot = workspace.learner.snapshot
    assert snapshot is not None
    return snapshot.version, snapshot.encoder_fingerprint


def recorded_examples(monkeypatch: pytest.MonkeyPatch) -> list[Examples]:
    """What every fine-tuning from now on learns from."""
    found: list[Examples] = []
    original = FineTuning.__init__

    def recording(self: FineTuning, trainable: Any, examples: Examples, *args: Any, **options: Any) -> None:
        found.append(examples)
        original(self, trainable, examples, *args, **options)

    monkeypatch.setattr(FineTuning, "__init__", recording)
    return found


def test_off_by_default(pool: Path, truth: Mapping[str, str], tmp_path: Path) -> None:
    config = config_for(tmp_path, pool)
    with opened(config) as workspace:
        taught(workspace, truth)
        assert version_of(workspace)[1] == base_fingerprint(workspace)
    assert not config.model.fine_tune and not (config.model_directory / "tuned").exists()


def test_it_never_learns_from_what_measures(
    config: Config, pool: Path, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = recorded_examples(monkeypatch)
    with opened(config) as workspace:
        learn(workspace)
        view = workspace.catalog.view
        held_out = [view.keys[at] for at in np.flatnonzero(view.held_out)]
        for key in held_out:  # a copy of each, saved anew, that is not held out
            Image.open(pool / key).convert("RGB").save(pool / f"copy-{key}", quality=95)
        workspace.rescan()
        learn(workspace)
        view = workspace.catalog.view
        answers = {**truth, **{f"copy-{key}": truth[key] for key in held_out}}
        copies = [int(view.ids[at]) for at, key in enumerate(view.keys) if key.startswith("copy-")]
        taught(workspace, answers)
        assert not found or len(found) == 1
        workspace.labeling.save(
            [Answer(item, answers[view.keys[int(view.positions([item])[0])]]) for item in copies]
        )
        rest = workspace.catalog.view
        open_items = rest.ids[rest.askable]
        keys = [rest.keys[at] for at in rest.positions(open_items)]
        workspace.labeling.save(
            [Answer(int(item), answers[key]) for item, key in zip(open_items, keys, strict=True)]
        )
        learn(workspace)
        now = workspace.catalog.view
        contents = {one.key: one.content or "" for one in workspace.items.get(now.ids.tolist()).values()}
        never = {now.keys[at] for at in np.flatnonzero(now.held_out)}
        never |= {f"copy-{key}" for key in never}
        teaching = workspace.encoded.teaching(now)
    names = {file.name for file in found[-1].files}
    assert len(found) >= 2 and len(held_out) >= 8
    assert not names & never
    may = {now.keys[at] for at in np.flatnonzero(teaching)}
    assert names == {key for key in may if not left_out(contents[key])}
    assert 0.5 < len(names) / len(may) < 1
    classes = config.classes
    assert [classes[target] for target in found[-1].targets] == [
        answers[file.name] for file in found[-1].files
    ]


def test_a_worse_network_is_refused(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FineTuning.tensors

    def spoilt(self: FineTuning) -> dict[str, torch.Tensor]:
        """Of the channels that end up in an embedding only a few are alive: with half of them gone a network
        may still be the better one for so few labels."""
        tensors = original(self)
        for name in ("12.expand1x1", "12.expand3x3"):
            for part in ("weight", "bias"):
                tensors[f"{name}.{part}"] = tensors[f"{name}.{part}"].clone()
                tensors[f"{name}.{part}"][ALIVE:] = 0
        return tensors

    monkeypatch.setattr(FineTuning, "tensors", spoilt)
    tried = recorded_examples(monkeypatch)
    with opened(config) as workspace:
        taught(workspace, truth)
        assert len(tried) == 1 and version_of(workspace)[1] == base_fingerprint(workspace)
        answer(workspace, truth, 5)
        learn(workspace)
        assert len(tried) == 1, "it has to wait until there are more labels"
    assert tuned_files(config) == []
    with opened(config) as workspace:
        learn(workspace)
        assert len(tried) == 1, "nor does a restart try again"


def test_the_former_model_serves_until_the_tuned_one_has_learnt_all(
    config: Config, pool: Path, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    picture = sorted(pool.iterdir())[0].read_bytes()
    states = set()
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 40)
        former = workspace.encoded
        while workspace.learner.step():
            states.add(workspace.learner.status().state)
            snapshot = workspace.learner.snapshot
            assert snapshot is not None and snapshot.labels == 40
            np.testing.assert_allclose(
                workspace.scoring.score_bytes([picture]).scores[0],
                snapshot.probs[snapshot.rows_of(workspace.catalog.view.ids[:1])][0],
                atol=2e-3,
            )
            assert workspace.asking.next_questions(1, client="a")[0] and workspace.doubting.conflicts() == []
        version, fingerprint = version_of(workspace)
        assert "tuning" in states and fingerprint != base_fingerprint(workspace) and version >= 2
        assert tuned_files(config) == [f"{fingerprint}.safetensors"]
        assert workspace.encoded is not former and workspace.encoded.count == 60
        assert workspace.learner.snapshot is not None and len(workspace.learner.snapshot.item_ids) == 60


def test_score_equals_the_pool_prediction_after_a_promotion(
    config: Config, pool: Path, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    with opened(config) as workspace:
        taught(workspace, truth)
        snapshot, view = workspace.learner.snapshot, workspace.catalog.view
        assert snapshot is not None and snapshot.encoder_fingerprint != base_fingerprint(workspace)
        files = [(pool / key).read_bytes() for key in view.keys]
        found = workspace.scoring.score_bytes(files)
        np.testing.assert_allclose(found.scores, snapshot.probs[snapshot.rows_of(view.ids)], atol=2e-3)
    production = open_production(config)
    try:
        np.testing.assert_allclose(production.scoring.score_bytes(files).scores, found.scores, atol=1e-5)
    finally:
        production.stop()


def test_a_tuned_model_serves_elsewhere_from_its_file(
    config: Config, pool: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    picture = sorted(pool.iterdir())[0].read_bytes()
    with opened(config) as workspace:
        taught(workspace, truth)
        version, fingerprint = version_of(workspace)
        here = workspace.scoring.score_bytes([picture])
        with zipfile.ZipFile(pack(workspace.models, version, config, "0.1")) as archive:
            archive.extractall(tmp_path / "elsewhere")
    folder = tmp_path / "elsewhere" / f"{config.name}-model-{version}"
    assert (folder / "models" / "tuned" / f"{fingerprint}.safetensors").is_file()
    monkeypatch.chdir(folder)
    production = open_production(read_config(folder / "config.yml", needs_dataset=False))
    try:
        np.testing.assert_allclose(production.scoring.score_bytes([picture]).scores, here.scores, atol=1e-5)
    finally:
        production.stop()


def test_a_roll_back_reaches_behind_the_promotion(
    config: Config, pool: Path, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    picture = sorted(pool.iterdir())[0].read_bytes()
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 20)
        learn(workspace)
        before, scored = version_of(workspace), workspace.scoring.score_bytes([picture]).scores
        answer(workspace, truth, 20)
        learn(workspace)
        after = version_of(workspace)
        assert before[1] == base_fingerprint(workspace) != after[1]
        workspace.serving.choose(before[0])
        learn(workspace)
        assert version_of(workspace) == before
        np.testing.assert_allclose(workspace.scoring.score_bytes([picture]).scores, scored, atol=2e-3)
    with opened(config) as workspace:  # the choice outlives a restart
        learn(workspace)
        assert version_of(workspace) == before
        np.testing.assert_allclose(workspace.scoring.score_bytes([picture]).scores, scored, atol=2e-3)
        workspace.serving.release()
        learn(workspace)
        assert version_of(workspace)[1] == after[1]


def test_a_promotion_leaves_the_serving_model_with_its_own_encoder(
    config: Config, pool: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of an earlier config goes on serving where nothing may be fitted yet: its scores must not
    come from the embeddings of the encoder that was tuned meanwhile."""
    picture = sorted(pool.iterdir())[0].read_bytes()
    with opened(config_for(tmp_path, pool)) as workspace:
        taught(workspace, truth)
        before = version_of(workspace)
        scored = workspace.scoring.score_bytes([picture]).scores
    open_the_gate(monkeypatch)
    model = {"fine_tune": True, "image_size": 96}
    with opened(config_for(tmp_path, pool, model=model, learning={"start_after": 45})) as workspace:
        learn(workspace)
        assert len(tuned_files(workspace.config)) == 1 and version_of(workspace) == before
        np.testing.assert_allclose(workspace.scoring.score_bytes([picture]).scores, scored, atol=2e-3)


def test_a_model_never_scores_with_the_encoder_of_another(
    pool: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    with opened(config_for(tmp_path, pool, model={"fine_tune": True, "keep": 20})) as workspace:
        learn(workspace)
        answer(workspace, truth, 20)
        learn(workspace)
        first = version_of(workspace)
        answer(workspace, truth, 20)
        learn(workspace)
        second = version_of(workspace)
        answer(workspace, truth, 20)  # half as many more: the next tuning
        learn(workspace)
        assert len({first[1], second[1], version_of(workspace)[1]}) == 3
        original = learner.snapshot_of

        def looking(*arguments: Any) -> Any:
            """While the next model scores the pool, the one until then goes on serving."""
            serving = workspace.learner.snapshot
            assert serving is not None
            used.append(workspace.learner.encoder_of(serving).fingerprint == serving.encoder_fingerprint)
            return original(*arguments)

        used: list[bool] = []
        monkeypatch.setattr(learner, "snapshot_of", looking)
        for version, _ in (first, second):
            workspace.serving.choose(version)
            learn(workspace)
        assert used == [True, True] and version_of(workspace) == second
        with pytest.raises(NotReady):
            assert workspace.learner.snapshot is not None
            workspace.learner.encoder_of(replace(workspace.learner.snapshot, encoder_fingerprint=first[1]))


def test_a_restart_finds_the_tuned_encoder(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    found = recorded_examples(monkeypatch)
    with opened(config) as workspace:
        taught(workspace, truth)
        before = version_of(workspace)
        seen = ~workspace.encoded.unseen(workspace.catalog.view.ids)
    assert seen.sum() == len(found[0].files)
    monkeypatch.setattr(SqueezeNet, "encode", None)  # nothing is encoded
    with opened(config) as workspace:
        learn(workspace)
        assert version_of(workspace) == before and workspace.learner.banner is None
        np.testing.assert_array_equal(~workspace.encoded.unseen(workspace.catalog.view.ids), seen)
    assert len(found) == 1


def test_calibration_knows_what_the_encoder_has_seen(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    found = recorded_examples(monkeypatch)
    unseen: list[np.ndarray] = []
    original = fitting.fit_classifier

    def recording(*arguments: Any) -> Any:
        unseen.append(arguments[-1])
        return original(*arguments)

    monkeypatch.setattr(fitting, "fit_classifier", recording)
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 40)
        workspace.learner.step()
        assert unseen[0].all(), "the untuned encoder has seen no label"
        learn(workspace)
        taught_ids = workspace.catalog.view.ids[workspace.encoded.teaching(workspace.catalog.view)]
        assert len(unseen[-1]) == len(taught_ids) and (~unseen[-1]).sum() == len(found[0].files)
        new = answer(workspace, truth, 10)
        learn(workspace)
        view = workspace.catalog.view
        now = view.ids[workspace.encoded.teaching(view)]
        assert (~unseen[-1]).sum() == len(found[0].files)
        assert unseen[-1][np.isin(now, new)].all(), "what was labelled since"


def test_wrong_labels_that_the_encoder_has_learnt_are_doubted_all_the_same(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 45)
        view = workspace.catalog.view
        wrong = view.ids[view.teaching][:4].tolist()
        keys = [view.keys[at] for at in view.positions(wrong)]
        answers = zip(wrong, keys, strict=True)
        workspace.labeling.save([Answer(item, str(9 - int(truth[key]))) for item, key in answers])
        workspace.learner.step()
        assert workspace.learner.snapshot is not None
        before = {one.item for one in workspace.learner.snapshot.suspects} & set(wrong)
        original = fitting.fit_classifier

        def believing(*arguments: Any) -> Any:
            """As if tuned on the labels until nothing was left to doubt."""
            fitted, train = original(*arguments), arguments[1]
            return replace(fitted, out_of_fold=np.eye(10, dtype=np.float32)[train.targets])

        monkeypatch.setattr(fitting, "fit_classifier", believing)
        learn(workspace)
        after = {one.item for one in workspace.learner.snapshot.suspects}
        seen = set(view.ids[~workspace.encoded.unseen(view.ids)].tolist())
        assert version_of(workspace)[1] != base_fingerprint(workspace)
        doubted = before & seen
        assert doubted and after <= seen
        assert doubted & after  # another model's doubts: some at the limit may differ


def test_switched_off_the_untuned_weights_come_back(
    config: Config, pool: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    with opened(config) as workspace:
        taught(workspace, truth)
        version, tuned = version_of(workspace)
    embeddings = config.embeddings_directory
    assert (embeddings / tuned).is_dir()
    off = config_for(tmp_path, pool, model={"keep": 1})
    with monkeypatch.context() as patch, opened(off) as workspace:
        patch.setattr(SqueezeNet, "encode", None)  # the untuned embeddings are cached still
        workspace.learner.step()
        assert version_of(workspace) == (version, tuned), "the tuned model serves until there is another"
        learn(workspace)
        assert version_of(workspace) == (version + 1, base_fingerprint(workspace))
    with opened(off) as workspace:
        learn(workspace)
    assert tuned_files(config) == [] and not (embeddings / tuned).exists()
    with opened(config) as workspace:
        assert version_of_after(workspace)[1] != base_fingerprint(workspace), (
            "switched on again, it tries again"
        )


def version_of_after(workspace: Workspace) -> tuple[int, str]:
    learn(workspace)
    return version_of(workspace)


def test_another_image_size_starts_from_the_untuned_encoder_while_the_tuned_one_serves(
    config: Config, pool: Path, truth: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        open_the_gate(patch)
        with opened(config) as workspace:
            taught(workspace, truth)
            before = version_of(workspace)
    larger = config_for(tmp_path, pool, model={"fine_tune": True, "image_size": 96})
    with opened(larger) as workspace:
        workspace.learner.step()
        assert version_of(workspace) == before
        assert len(workspace.encoded.pending) == 60 and workspace.encoded.untuned is None


def test_a_kill_in_the_middle_loses_the_attempt_alone(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_the_gate(monkeypatch)
    found = recorded_examples(monkeypatch)
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 40)
        while workspace.learner.status().state != "tuning":
            assert workspace.learner.step()
        before = version_of(workspace)
    folder = config.model_directory / "tuned"
    folder.mkdir(exist_ok=True)
    (folder / ".0123.safetensors").write_bytes(b"half a candidate")
    with opened(config) as workspace:
        workspace.learner.step()
        assert version_of(workspace) == before and tuned_files(config) == []
        learn(workspace)
        assert version_of(workspace)[1] != base_fingerprint(workspace)
    assert len(found) == 2


@pytest.mark.parametrize("damage", ["gone", "cut off", "another header"])
def test_lost_weights_are_told_and_done_without(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    with monkeypatch.context() as patch:
        open_the_gate(patch)
        with opened(config) as workspace:
            taught(workspace, truth)
            version, tuned = version_of(workspace)
    file = config.model_directory / "tuned" / f"{tuned}.safetensors"
    if damage == "gone":
        file.unlink()
        with pytest.raises(Conflict, match="lost"):
            pack(ModelFolder(config.model_directory, keep=1), version, config, "0")
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:-1000])
    else:
        shutil.copy(
            Path(tuning.__file__).parents[1] / "encoders/weights/squeezenet1_1_builtin.safetensors", file
        )
    # else a new attempt may turn out well
    monkeypatch.setattr(tuning, "compare_encoders", lambda *arguments: WORSE)
    with opened(config) as workspace:
        learn(workspace)
        assert version_of(workspace)[1] == base_fingerprint(workspace)
        assert workspace.learner.snapshot is not None and workspace.learner.snapshot.labels == 40


def test_an_answer_is_learnt_before_the_tuning_goes_on(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 40)
        while workspace.learner.status().state != "tuning":
            assert workspace.learner.step()
        progress = workspace.learner.status().progress
        answer(workspace, truth, 5)
        assert workspace.learner.step()
        assert workspace.learner.snapshot is not None and workspace.learner.snapshot.labels == 45
        learn(workspace)
        assert 0 < progress < 1 and workspace.learner.status().state == "idle"


def test_a_failing_attempt_is_told_and_not_repeated(
    config: Config, truth: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: FineTuning) -> None:
        raise InputError("0001.png: damaged image")

    monkeypatch.setattr(FineTuning, "step", failing)
    with opened(config) as workspace:
        learn(workspace)
        answer(workspace, truth, 40)
        with pytest.raises(InputError, match=r"0001\.png"):
            learn(workspace)
        learn(workspace)
        assert workspace.learner.snapshot is not None and workspace.learner.snapshot.labels == 40


def test_an_encoder_that_cannot_be_tuned_is_a_config_error(pool: Path, tmp_path: Path) -> None:
    check_fine_tuning(config_for(tmp_path, pool, model={"fine_tune": True}))
    check_fine_tuning(config_for(tmp_path, pool, model={"encoder": "resnet18"}))
    with pytest.raises(ConfigError, match=r"model\.fine_tune: .*resnet18.*squeezenet"):
        check_fine_tuning(config_for(tmp_path, pool, model={"encoder": "resnet18", "fine_tune": True}))
