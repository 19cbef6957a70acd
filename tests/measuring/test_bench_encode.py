from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightbulb.encoders.squeezenet import SqueezeNet
from lightbulb.errors import InputError
from lightbulb.measuring import bench_encode as module
from lightbulb.measuring import encoder_variants
from lightbulb.measuring.bench_encode import bench_encode, flops_of, ratio_of
from lightbulb.measuring.photographs import synthetic_photographs
from lightbulb.torch_setup import torch
from support import config_for


def test_reports_the_path_from_files_beside_the_bare_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUNDS", 2)
    monkeypatch.setattr(module, "PEAK_SIDE", 256)
    result = bench_encode(config_for(tmp_path, tmp_path), images=5)
    assert (result["image_size"], result["encoder"]) == (64, "squeezenet")
    assert result["images_per_second"] > 0 and 0 < result["ratio"] < 1.5 and result["ratio_to_together"] > 0
    assert result["bare_gflop_per_second"] > 0 and result["matrix_product_gflop_per_second"] > 0


def test_an_encoder_without_a_bare_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "encoder_named", lambda name: type("Other", (), {"load": lambda config: object()})
    )
    with pytest.raises(InputError, match="no bare forward pass"):
        bench_encode(config_for(tmp_path, tmp_path))


def test_flops_of_squeezenet_as_published(tmp_path: Path) -> None:
    """torchvision gives 0.35 billion multiply-adds at 224 pixels, the last convolution included."""
    encoder = SqueezeNet.load(config_for(tmp_path, tmp_path, model={"image_size": 224}))
    head = 2 * 512 * 1000 * 13 * 13  # the classifier's convolution, which an encoder leaves out
    assert flops_of(encoder) + head == pytest.approx(2 * 0.35e9, rel=0.02)


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio_of([1.0, 10.0, 1.0], [2.0, 20.0, 4.0]) == 0.5


def test_synthetic_photographs_cost_what_photographs_cost() -> None:
    made = synthetic_photographs(np.random.default_rng(0))
    assert len({len(one) for one in made}) > 1 and 15_000 < np.mean([len(one) for one in made]) < 120_000


def test_variants_are_compared_and_one_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(encoder: SqueezeNet, pixels: torch.Tensor) -> encoder_variants.Work:
        raise ImportError("No module named 'faster'")

    def wrong(encoder: SqueezeNet, pixels: torch.Tensor) -> encoder_variants.Work:
        return encoder_variants.plain(encoder, -pixels)

    basis = encoder_variants.BASIS
    kept = {name: encoder_variants.VARIANTS[name] for name in (basis, "float32, onnxruntime")}
    monkeypatch.setattr(encoder_variants, "VARIANTS", kept | {"missing": missing, "wrong": wrong})
    monkeypatch.setattr(encoder_variants, "ROUNDS", 2)
    encoder = SqueezeNet.load(config_for(tmp_path, tmp_path))
    found = {one["variant"]: one for one in encoder_variants.try_variants(encoder)}
    assert found[basis]["ratio"] == 1 and found[basis]["cosine"] == 1
    assert found["float32, onnxruntime"]["cosine"] == 1
    assert found["float32, onnxruntime"]["ratio"] > 0 and found["wrong"]["cosine"] < 0.999
    assert found["missing"] == {"variant": "missing", "problem": "No module named 'faster'"}
