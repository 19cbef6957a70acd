"""`lightbulb pretrain`, each objective on a few real digits, at a size and length that tests can afford."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.torch import load_file

from lightbulb.cli import main
from lightbulb.encoders.weights import BUILTIN_DIRECTORY
from lightbulb.errors import InputError
from lightbulb.pretraining.augment import mosaic, random_crop
from lightbulb.pretraining.batches import Batches, Recipe
from lightbulb.pretraining.images import ArraySource, FolderSource, open_sources
from lightbulb.pretraining.network import folded, load_folded, trainable_features
from lightbulb.pretraining.objectives import Distillation, Supervised, VICReg, Views, covariance_penalty
from lightbulb.pretraining.optimisers import Muon, make_optimisers, orthogonalised
from lightbulb.pretraining.pretrain import Pretraining, Settings, normalised, one_cycle
from lightbulb.torch_setup import torch
from lightbulb.vision import torchvision
from support import copy_digits

BUILTIN = BUILTIN_DIRECTORY / "squeezenet1_1_builtin.safetensors"


@pytest.fixture
def classes(digits: Path, tmp_path: Path) -> Path:
    """Two class folders of 20 digits each."""
    copy_digits(digits / "digits", tmp_path / "labelled" / "one", 20)
    copy_digits(digits / "digits", tmp_path / "labelled" / "two", 20)
    return tmp_path / "labelled"


def builtin() -> dict[str, torch.Tensor]:
    return {name: tensor.float() for name, tensor in load_file(BUILTIN).items()}


def test_folded_it_is_torchvisions_network() -> None:
    """Trained statistics included: evaluation with batch-norms equals torchvision's model with none."""
    torch.manual_seed(0)
    features = trainable_features()
    images = torch.randn(4, 3, 64, 64)
    for _ in range(3):
        features(images * 3 + 1)
    plain = torchvision.models.squeezenet1_1(weights=None).features.eval()
    plain.load_state_dict(folded(features))
    torch.testing.assert_close(plain(images), features.eval()(images), rtol=1e-3, atol=1e-3)


def test_starting_from_weights_changes_nothing_at_first() -> None:
    features, images = trainable_features(), torch.randn(8, 3, 64, 64)
    load_folded(features, builtin(), images)
    plain = torchvision.models.squeezenet1_1(weights=None).features.eval()
    plain.load_state_dict(builtin())
    torch.testing.assert_close(features.eval()(images), plain(images), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(features.train()(images), plain(images), rtol=1e-2, atol=1e-2)


def test_covariance_penalty_by_hand() -> None:
    """Columns (1, -1) and (2, -2): covariance 4 twice off the diagonal, so (16 + 16) / 2 columns."""
    assert covariance_penalty(torch.tensor([[1.0, 2.0], [-1.0, -2.0]])).item() == pytest.approx(16.0)


def test_a_perfect_student_has_nothing_left_to_learn() -> None:
    teacher = torchvision.models.squeezenet1_1(weights=None).features.eval()
    teacher.load_state_dict(builtin())
    images = torch.randn(4, 3, 96, 96)
    objective = Distillation(teacher, 512)
    views = Views(images, torch.full((4,), -1))
    with torch.no_grad():
        same = objective.loss(teacher(images), views)
        other = objective.loss(teacher(images.flip(0)), views)
    assert same.item() < 1e-4 < 0.1 < other.item()
    assert not list(objective.parameters()), "the teacher must not be trained"


def test_a_teacher_of_other_channels_and_size_is_met(classes: Path) -> None:
    teacher = torch.nn.Sequential(torch.nn.Conv2d(3, 20, 8, stride=8), torch.nn.ReLU())
    objective = Distillation(teacher, 20)
    loss = objective.loss(
        trainable_features()(torch.randn(2, 3, 64, 64)), Views(torch.randn(2, 3, 64, 64), torch.zeros(2))
    )
    loss.backward()
    assert torch.isfinite(loss) and objective.adapter.weight.grad.abs().sum() > 0


def test_one_cycle_by_hand() -> None:
    assert one_cycle(0.015) == pytest.approx(0.5) and one_cycle(0.03) == pytest.approx(1.0)
    assert one_cycle(0.515) == pytest.approx(0.5) and one_cycle(1.0) == pytest.approx(0.0)


def test_batches_depend_on_the_step_alone(classes: Path) -> None:
    recipe = Recipe(32, 6, 1, mosaics=True)
    sources = open_sources([classes])
    batches = Batches(sources, recipe, 3, 1)
    third = batches.make(2)
    stream = Batches(sources, recipe, 3, 2).starting_at(1)
    next(stream)
    np.testing.assert_array_equal(next(stream).views, third.views)
    stream.close()
    assert third.views.shape == (1, 6, 32, 32, 3) and not np.array_equal(third.views, batches.make(3).views)


def test_mosaics_have_no_class_and_crops_have_theirs(classes: Path) -> None:
    source = FolderSource(classes)
    assert source.classes == ("one", "two") and len(source) == 40
    with_mosaics = Batches([source], Recipe(128, 40, 1, mosaics=True), 0, 1).make(0)
    assert 5 < (with_mosaics.targets == -1).sum() < 35
    assert set(Batches([source], Recipe(128, 40, 1, mosaics=False), 0, 1).make(0).targets) == {0, 1}


def test_a_mosaic_shows_four_pictures_and_a_crop_one(classes: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    flat = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (10, 20, 30, 40)]
    view = mosaic(flat, 33, rng)
    assert [int(view[row, column, 0]) for row in (0, 32) for column in (0, 32)] == [10, 20, 30, 40]
    ramp = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 200, 3)))
    crops = [random_crop(ramp, 16, rng) for _ in range(50)]
    heights = [int(crop.max()) - int(crop.min()) for crop in crops]
    assert min(heights) < 130 and max(heights) > 170  # from 200 * sqrt(1/4 * 3/4) to nearly all


@pytest.mark.parametrize(
    "options", [["--teacher", str(BUILTIN), "--init", str(BUILTIN)], ["--ignore-labels"], []]
)
def test_every_objective_ends_in_weights_that_load(classes: Path, tmp_path: Path, options: list[str]) -> None:
    out = tmp_path / "made" / "own.safetensors"
    result = CliRunner().invoke(
        main,
        ["pretrain", "--images", str(classes), "--out", str(out), "--steps", "2", "--size", "64",
         "--batch", "4", "--workers", "1", *options],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert out.stat().st_size < 3_000_000
    plain = torchvision.models.squeezenet1_1(weights=None).features
    plain.load_state_dict({name: tensor.float() for name, tensor in load_file(out).items()})
    card = out.with_suffix(".md").read_text()
    assert "2 steps of 4 views" in card and "40 pictures" in card
    assert not list(out.parent.glob("*.checkpoint"))


def test_supervised_training_lowers_the_loss(tmp_path: Path) -> None:
    """Black against white pictures: hard to miss."""
    images = np.zeros((20, 32, 32, 3), dtype=np.uint8)
    images[10:] = 255
    np.savez(tmp_path / "two.npz", images=images, labels=np.repeat([3, 7], 10))
    source = ArraySource(tmp_path / "two.npz")
    assert source.classes == ("3", "7")
    losses: list[float] = []
    settings = Settings(size=32, batch=8, minutes=None, steps=60, workers=1)
    torch.manual_seed(0)
    training = Pretraining([source], Supervised(2), "test", settings, tmp_path / "x.safetensors")
    training.run(lambda report: losses.append(report.loss))
    assert len(losses) == 3 and losses[-1] < min(losses[0], 0.8 * np.log(2))  # ln 2: a guess


def test_interrupted_it_goes_on_from_its_checkpoint(classes: Path, tmp_path: Path) -> None:
    settings = Settings(size=32, batch=4, minutes=None, steps=6, workers=1)
    out = tmp_path / "own.safetensors"

    def fresh() -> Pretraining:
        torch.manual_seed(0)
        return Pretraining(open_sources([classes]), VICReg(), "test", settings, out)

    whole = fresh()
    whole.run(lambda report: None)
    wanted = load_file(out)
    cut = fresh()
    for step in range(3):
        cut._train_step(cut._batches.make(step))
        cut._step += 1
    cut._save_checkpoint()
    again = fresh()
    assert again.steps == 3
    again.run(lambda report: None)
    for name, tensor in load_file(out).items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0.02, atol=0.02)
    cut._save_checkpoint()
    other = Settings(size=64, batch=4, minutes=None, steps=6, workers=1)
    with pytest.raises(InputError, match="other settings"):
        Pretraining(open_sources([classes]), VICReg(), "test", other, out)
    out.with_suffix(".safetensors.checkpoint").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot be read"):
        fresh()


def test_what_cannot_be_trained_on_is_named(classes: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "grey.npz", images=np.zeros((3, 8, 8), dtype=np.uint8))
    np.savez(tmp_path / "other.npz", pixels=np.zeros((3, 8, 8, 3), dtype=np.uint8))
    cases = {
        "empty": "no image",
        "text.npz": "cannot be read",
        "grey.npz": "must be uint8",
        "other.npz": "no array",
        "gone": "neither",
    }
    for name, problem in cases.items():
        with pytest.raises(InputError, match=problem):
            open_sources([tmp_path / name])
    out = str(tmp_path / "x.safetensors")
    for options, problem in (
        (["--teacher", "resnet_of_nobody"], "neither a file"),
        (["--device", "cuda:0"], "no CUDA device"),
        (["--init", str(tmp_path / "grey.npz")], "no SqueezeNet"),
        (["--steps", "3", "--minutes", "1"], "not both"),
    ):
        result = CliRunner().invoke(main, ["pretrain", "--images", str(classes), "--out", out, *options])
        assert result.exit_code == 2 and problem in result.output, result.output


def test_unreadable_pictures_are_passed_over_unless_all_are(classes: Path) -> None:
    for file in sorted((classes / "one").iterdir()):
        file.write_bytes(b"no picture")
    batch = Batches(open_sources([classes]), Recipe(32, 30, 1, mosaics=False), 0, 1).make(0)
    assert set(batch.targets) == {1}
    for file in sorted((classes / "two").iterdir()):
        file.write_bytes(b"no picture")
    with pytest.raises(InputError, match="not an image"):
        Batches(open_sources([classes]), Recipe(32, 30, 1, mosaics=False), 0, 1).make(0)


def test_the_network_sees_what_the_encoder_will_show_it() -> None:
    """The encoder subtracts mean * 255 from 0..255; the training mean from 0..1."""
    grey = normalised(torch.full((1, 3, 2, 2), 0.5))
    expected = (torch.tensor([0.5] * 3) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(grey[0, :, 0, 0], expected)


@pytest.mark.parametrize("shape", [(24, 80), (80, 24)])
def test_muon_learns_every_direction_at_one_pace(shape: tuple[int, int]) -> None:
    """One singular value 100 times the others: what is left of it is near the rest, and the vectors stay."""
    generator = torch.Generator().manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    strengths = torch.full((24,), 0.1)
    strengths[0] = 10.0
    made = orthogonalised(left @ torch.diag(strengths) @ right).float()
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5 and values.max() < 1.4
    assert torch.diagonal(left.T @ made @ right.T).min() > 0.5


def test_the_inner_kernels_are_muons_and_nothing_is_left_out() -> None:
    features, objective = trainable_features(), Supervised(5)
    muon, adamw = make_optimisers(features, objective, 1e-3)
    kernels, rest = (one.param_groups[0]["params"] for one in (muon, adamw))
    assert {one.dim() for one in kernels} == {4} and all(one.shape[1] > 3 for one in kernels)
    everything = [*features.parameters(), *objective.parameters()]
    assert len(kernels) + len(rest) == len(everything) and {*map(id, kernels), *map(id, rest)} == {
        *map(id, everything)
    }


def test_a_step_of_muon_is_as_large_as_adamws() -> None:
    """Root mean square 0.2 learning rates, whatever the gradient's own size."""
    for factor in (1e-4, 1e4):
        parameter = torch.nn.Parameter(torch.zeros(32, 16, 3, 3))
        muon = Muon([parameter], 0.01)
        parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * factor
        muon.step()
        assert 0.0014 < parameter.square().mean().sqrt().item() < 0.0026
