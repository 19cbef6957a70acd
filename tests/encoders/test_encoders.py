"""One contract for every encoder, found by name and unasked; and the chunks that fill the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lightbulb.encoders
from lightbulb.encoders import Encoder
from lightbulb.encoders.embed import content_hash, encode_files
from lightbulb.errors import InputError, WeightsError
from lightbulb.registry import discover
from support import config_for, copy_digits

ENCODERS = discover(lightbulb.encoders, Encoder)


@pytest.fixture(scope="module", params=ENCODERS)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("encoder")
    return ENCODERS[request.param].load(config_for(folder, folder, model={"encoder": request.param}))


def test_an_embedding_does_not_depend_on_its_neighbours(encoder: Encoder, digits: Path) -> None:
    files = sorted((digits / "digits").iterdir())[:5]
    inputs = [encoder.prepare(file.read_bytes()) for file in files]
    together = encoder.encode(inputs)
    assert together.shape == (5, encoder.dim) and together.dtype == np.float16
    assert np.isfinite(together).all() and len(np.unique(together, axis=0)) == 5
    alone = np.concatenate([encoder.encode([one]) for one in inputs])
    np.testing.assert_allclose(together, alone, rtol=5e-3, atol=5e-3)
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_what_it_cannot_read_it_refuses(encoder: Encoder) -> None:
    with pytest.raises(InputError):
        encoder.prepare(b"no picture")


def test_the_fingerprint_tells_sizes_apart(encoder: Encoder, tmp_path: Path) -> None:
    def load(size: int) -> str:
        model = {"encoder": encoder.name, "image_size": size}
        return ENCODERS[encoder.name].load(config_for(tmp_path, tmp_path, model=model)).fingerprint

    assert load(64) == encoder.fingerprint != load(96)


def test_files_are_encoded_once_and_broken_ones_named(encoder: Encoder, digits: Path, tmp_path: Path) -> None:
    copy_digits(digits / "digits", tmp_path, 7)
    (tmp_path / "twin.png").write_bytes((tmp_path / "0000.png").read_bytes())
    (tmp_path / "bad.png").write_bytes(b"no picture")
    files = [(at + 1, path) for at, path in enumerate(sorted(tmp_path.iterdir()))]
    files.append((99, tmp_path / "gone.png"))
    known = content_hash((tmp_path / "0003.png").read_bytes())
    stored = {known}
    contents: dict[int, str] = {}
    broken: dict[int, str] = {}
    for chunk in encode_files(encoder, files, cached=stored.__contains__, chunk=4):
        assert len(chunk.new) == len(chunk.embeddings) and not stored & set(chunk.new)
        stored |= set(chunk.new)
        contents |= chunk.contents
        broken |= chunk.broken
    assert len(contents) == 8 and len(stored) == 7
    assert "not an image" in broken[8] and "cannot be read" in broken[99] and len(broken) == 2


def test_weights_of_another_architecture(tmp_path: Path) -> None:
    import torch

    torch.save({"0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    config = config_for(tmp_path, tmp_path, model={"weights": str(tmp_path / "other.pth")})
    with pytest.raises(WeightsError, match="another architecture"):
        ENCODERS["squeezenet"].load(config)
