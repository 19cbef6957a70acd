"""One contract for every encoder, found by name and unasked; and the chunks that fill the cache."""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import requests

import lightbulb.encoders
from lightbulb.config import Config
from lightbulb.encoders import Encoder, embed
from lightbulb.encoders.embed import content_hash, encode_files
from lightbulb.encoders.torch_images import ImageInput, TorchImages, pool_map
from lightbulb.encoders.torchvision_model import without_auxiliary
from lightbulb.errors import InputError, WeightsError
from lightbulb.records import Float16s
from lightbulb.registry import discover
from lightbulb.services.plugins import encoder_named
from lightbulb.torch_setup import has_bfloat16, keep_to_one_thread, torch, torch_threads
from lightbulb.vision import torchvision
from support import config_for, copy_digits

ENCODERS = discover(lightbulb.encoders, Encoder)


class Tiny(torch.nn.Module):
    """(n, 3, h, w) → a feature map (n, 6, h / 8, w / 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 6, 8, stride=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convolution(x))


def torchscript_file(folder: Path) -> dict[str, Any]:
    torch.manual_seed(0)
    torch.jit.script(Tiny().eval()).save(str(folder / "tiny.pt"))
    return {"encoder": str(folder / "tiny.pt")}


def onnx_file(folder: Path, batch: str | int = "n", size: str | int = "side") -> dict[str, Any]:
    """One convolution and its relu, written node by node."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.normal(0, 0.2, (6, 3, 8, 8)).astype(np.float32), "weight")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["pixels", "weight"], ["map"], strides=[8, 8]),
            helper.make_node("Relu", ["map"], ["features"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("pixels", number, [batch, 3, size, size])],
        [helper.make_tensor_value_info("features", number, None)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "tiny.onnx")
    return {"encoder": str(folder / "tiny.onnx")}


def torchvision_weights(folder: Path, name: str = "resnet18") -> dict[str, Any]:
    """Weights as torchvision would download them, but random: there may be no network."""
    torch.manual_seed(0)
    torch.save(torchvision.models.get_model(name, weights=None).state_dict(), folder / f"{name}.pth")
    return {"encoder": name, "weights": str(folder / f"{name}.pth")}


MADE: dict[str, Callable[[Path], dict[str, Any]]] = {
    "squeezenet": lambda folder: {"encoder": "squeezenet"},
    "torchvision_model": torchvision_weights,
    "torchscript": torchscript_file,
    "onnx": onnx_file,
}


def load(model: dict[str, Any], folder: Path) -> Encoder:
    return encoder_named(model["encoder"]).load(config_for(folder, folder, model=model))


def test_every_encoder_is_tried_here() -> None:
    assert set(MADE) == set(ENCODERS)


@pytest.fixture(scope="module", params=ENCODERS)
def chosen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The keys of `model` that choose an encoder."""
    return MADE[request.param](tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def encoder(chosen: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load(chosen, tmp_path_factory.mktemp("encoder"))


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


def test_the_fingerprint_tells_sizes_apart(chosen: dict[str, Any], encoder: Encoder, tmp_path: Path) -> None:
    assert load(chosen, tmp_path).fingerprint == encoder.fingerprint
    assert load({**chosen, "image_size": 96}, tmp_path).fingerprint != encoder.fingerprint
    assert load({**chosen, "image_size": 96}, tmp_path).image_size == 96


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
        assert len(chunk.new) == len(chunk.embeddings) and known not in chunk.new
        stored |= set(chunk.new)
        contents |= chunk.contents
        broken |= chunk.broken
    assert len(contents) == 8 and len(stored) == 7
    assert "not an image" in broken[8] and "cannot be read" in broken[99] and len(broken) == 2


class Slow(Encoder):
    """Numbers → themselves. Counts what it encoded, and how many threads did at a time."""

    name: ClassVar[str] = "slow"
    data_type: ClassVar[str] = "numbers"
    dim = batch = 1

    def __init__(self, side_by_side: int) -> None:
        self.side_by_side = side_by_side
        self.encoded: list[int] = []
        self.inside = self.most_inside = 0
        self._lock = threading.Lock()

    @classmethod
    def load(cls, config: Config) -> Encoder:
        raise NotImplementedError

    def prepare(self, data: bytes) -> int:
        return int(data)

    def encode(self, inputs: Sequence[object]) -> Float16s:
        with self._lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        time.sleep(0.005)
        numbers = [int(str(one)) for one in inputs]
        with self._lock:
            self.inside -= 1
            self.encoded += numbers
        return np.array(numbers, dtype=np.float16)[:, None]


def numbered(folder: Path, count: int) -> list[tuple[int, Path]]:
    files = [(number, folder / str(number)) for number in range(count)]
    for number, path in files:
        path.write_text(str(number))
    return files


def test_the_encoder_says_how_many_batches_it_takes_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU's memory holds one; as many as there are cores would not fit."""
    monkeypatch.setattr(embed, "CORES", 4)
    for side_by_side in (1, 2):
        encoder = Slow(side_by_side)
        chunks = list(encode_files(encoder, numbered(tmp_path, 60), cached=lambda _: False, chunk=5))
        assert [item for chunk in chunks for item in chunk.contents] == list(range(60))
        assert encoder.most_inside == side_by_side
        assert np.concatenate([chunk.embeddings for chunk in chunks])[:, 0].tolist() == list(range(60))


def test_who_ends_early_does_not_wait_for_whole_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "CORES", 2)
    encoder = Slow(2)
    stream = encode_files(encoder, numbered(tmp_path, 200), cached=lambda _: False, chunk=40)
    next(stream)
    before = len(encoder.encoded)
    stream.close()
    assert len(encoder.encoded) <= before + 4 and encoder.inside == 0


def test_weights_of_another_architecture(tmp_path: Path) -> None:
    torch.save({"0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    config = config_for(tmp_path, tmp_path, model={"weights": str(tmp_path / "other.pth")})
    with pytest.raises(WeightsError, match="another architecture"):
        ENCODERS["squeezenet"].load(config)


@pytest.mark.parametrize(
    "name", ["mobilenet_v3_small", "mobilenet_v2", "efficientnet_b0", "squeezenet1_0", "googlenet"]
)
def test_a_torchvision_model_gives_what_its_last_layer_reads(name: str, digits: Path, tmp_path: Path) -> None:
    """Multiplied by the head that was taken out, the embedding is the network's own answer."""
    model = torchvision_weights(tmp_path, name)
    encoder = load({**model, "image_size": 64}, tmp_path)
    inputs = [encoder.prepare(file.read_bytes()) for file in sorted((digits / "digits").iterdir())[:3]]
    found = torch.from_numpy(encoder.encode(inputs).astype(np.float32))
    whole = torchvision.models.get_model(name, weights=None, **without_auxiliary(name))
    state = torch.load(model["weights"], weights_only=True)
    whole.load_state_dict({key: state[key] for key in whole.state_dict()})
    heads = [module for module in whole.modules() if isinstance(module, torch.nn.Linear)]
    if not heads:
        assert found.shape == (3, 1024)
        return
    pixels = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2) / 255  # type: ignore[arg-type]
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        wanted = whole.eval()((pixels - mean[:, None, None]) / std[:, None, None])
        torch.testing.assert_close(heads[-1](found), wanted, rtol=0.05, atol=0.05)


def test_densenets_old_names_are_understood(tmp_path: Path) -> None:
    network = torchvision.models.densenet121(weights=None)
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): one
           for key, one in network.state_dict().items()}  # fmt: skip
    torch.save(old, tmp_path / "densenet.pth")
    model = {"encoder": "densenet121", "weights": str(tmp_path / "densenet.pth"), "image_size": 64}
    assert load(model, tmp_path).dim == 1024


def test_an_onnx_file_that_takes_one_image_at_a_time(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "any").mkdir()
    fixed, free = onnx_file(tmp_path, batch=1, size=32), onnx_file(tmp_path / "any")
    one_by_one, together = load(fixed, tmp_path), load({**free, "image_size": 32}, tmp_path)
    assert one_by_one.image_size == 32
    inputs = [one_by_one.prepare(file.read_bytes()) for file in sorted((digits / "digits").iterdir())[:3]]
    np.testing.assert_allclose(one_by_one.encode(inputs), together.encode(inputs), rtol=1e-2)


class Alone(Tiny):
    """One image's shape is written into it, as tracing may do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convolution(x)).mean((2, 3)).reshape(1, -1)


def test_a_torchscript_file_that_takes_one_image_at_a_time(digits: Path, tmp_path: Path) -> None:
    torch.jit.script(Alone().eval()).save(str(tmp_path / "alone.pt"))
    encoder = load({"encoder": str(tmp_path / "alone.pt")}, tmp_path)
    inputs = [encoder.prepare(file.read_bytes()) for file in sorted((digits / "digits").iterdir())[:3]]
    wanted = np.concatenate([encoder.encode([one]) for one in inputs])
    assert encoder.batch == 1 and wanted.shape == (3, 6)
    np.testing.assert_array_equal(encoder.encode(inputs), wanted)


def test_what_is_no_encoder_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pt").write_text("no network")
    (tmp_path / "bad.onnx").write_text("no network")
    torch.jit.script(torch.nn.Linear(3, 2)).save(str(tmp_path / "linear.pt"))
    cases = {"bad.pt": "no TorchScript", "gone.pt": "no file", "linear.pt": "makes no vectors"}
    if importlib.util.find_spec("onnxruntime"):
        cases["bad.onnx"] = "no ONNX file"
    for name, problem in cases.items():
        with pytest.raises(WeightsError, match=problem):
            load({"encoder": str(tmp_path / name)}, tmp_path)
    with pytest.raises(WeightsError, match="squeezenet alone"):
        load({"encoder": "resnet18", "weights": "builtin"}, tmp_path)


def test_without_a_network_other_encoders_have_no_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def offline(*args: Any, **kwargs: Any) -> None:
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "get", offline)
    with pytest.raises(WeightsError, match="only squeezenet has built-in ones"):
        load({"encoder": "resnet18", "weights": "auto"}, tmp_path)


def test_lower_precision_is_used_only_where_it_changes_little() -> None:
    class Fragile(torch.nn.Module):
        """What is left of a large number after most of it is taken away: lost in bfloat16."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x + 4096) - 4096

    class Averages(TorchImages):
        @classmethod
        def load(cls, config: Config) -> Encoder:
            raise NotImplementedError

        def pool(self, features: torch.Tensor) -> torch.Tensor:
            return pool_map(features)

    def made(network: torch.nn.Module) -> TorchImages:
        return Averages(network, ImageInput(32), identity="x", device="cpu", max_pixels=1e6)

    lowered = has_bfloat16(torch.device("cpu"))
    assert (made(Tiny())._type is torch.bfloat16) == lowered
    fragile = made(Fragile())
    assert fragile._type is torch.float32
    assert made(Tiny()).fingerprint != fragile.fingerprint or not lowered


def test_a_thread_kept_to_one_core_leaves_the_others_theirs() -> None:
    before = torch.get_num_threads()
    with ThreadPoolExecutor(1, initializer=keep_to_one_thread) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
        with torch_threads(4):
            assert pool.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == before
