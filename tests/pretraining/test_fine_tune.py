from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightbulb.encoders.squeezenet import SqueezeNet
from lightbulb.encoders.weights import resolve_weights
from lightbulb.errors import InputError
from lightbulb.pretraining import fine_tune
from lightbulb.pretraining.fine_tune import Examples, FineTuning, balanced_order
from lightbulb.torch_setup import torch


@pytest.fixture
def encoder() -> SqueezeNet:
    weights = resolve_weights("builtin", url="", builtin="squeezenet1_1_builtin.safetensors")
    return SqueezeNet(weights, image_size=64, max_pixels=1e7, device="cpu")


def examples(digits: Path, count: int) -> Examples:
    """The first digits, even and odd positions as two classes."""
    files = sorted((digits / "digits").iterdir())[:count]
    return Examples(files, np.arange(count) % 2, 2)


def test_only_the_last_modules_change(
    digits: Path, encoder: SqueezeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_tune, "FEWEST_STEPS", 3)
    monkeypatch.setattr(fine_tune, "EPOCHS", 1)
    before = {name: one.half() for name, one in encoder.fresh_network().state_dict().items()}
    training = FineTuning(encoder.trainable(), examples(digits, 20), np.random.default_rng(0))
    steps = 0
    while not training.finished:
        training.step()
        steps += 1
    assert steps == 3 and training.progress == 1
    after = training.tensors()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith(("10.", "11.", "12."))}
    again = encoder.fresh_network().state_dict()
    assert all(torch.equal(before[name], one.half()) for name, one in again.items()), "the encoder serves on"


def test_it_learns_what_it_is_shown(
    digits: Path, encoder: SqueezeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[float] = []
    original = torch.nn.functional.cross_entropy

    def recorded(*args: object, **options: object) -> torch.Tensor:
        loss = original(*args, **options)  # type: ignore[arg-type]
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", recorded)
    monkeypatch.setattr(fine_tune, "FEWEST_STEPS", 40)
    training = FineTuning(encoder.trainable(), examples(digits, 10), np.random.default_rng(0))
    while not training.finished:
        training.step()
    assert losses[0] == pytest.approx(np.log(2), abs=1e-3), "the head starts without an opinion"
    assert np.mean(losses[-5:]) < 0.75 * losses[0]


def test_an_image_that_is_gone_is_named(digits: Path, encoder: SqueezeNet, tmp_path: Path) -> None:
    gone = Examples([tmp_path / "gone.png"] * 2, np.array([0, 1]), 2)
    with pytest.raises(InputError, match=r"gone\.png"):
        FineTuning(encoder.trainable(), gone, np.random.default_rng(0)).step()


def test_rare_classes_come_up_more_often_than_they_occur() -> None:
    targets = np.repeat([0, 1], [90, 10])
    order = balanced_order(targets, 4000, np.random.default_rng(0))
    share = (targets[order] == 1).mean()
    assert share == pytest.approx(np.sqrt(10) / (np.sqrt(10) + np.sqrt(90)), abs=0.03)
    times = np.bincount(order, minlength=100)
    assert np.ptp(times[:90]) <= 1 and np.ptp(times[90:]) <= 1
    assert set(balanced_order(np.array([0, 2, 2]), 50, np.random.default_rng(0))) == {0, 1, 2}
