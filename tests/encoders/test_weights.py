"""Where weights come from, in order, against a server on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightbulb.encoders.squeezenet import IMAGENET_URL, squeezenet_features
from lightbulb.encoders.weights import resolve_weights
from lightbulb.errors import WeightsError
from lightbulb.torch_setup import torch
from lightbulb.vision import torchvision

BUILTIN = "squeezenet1_1_builtin.safetensors"


class Recording(http.server.SimpleHTTPRequestHandler):
    requested: list[str] = []  # noqa: RUF012

    def log_message(self, *args: Any) -> None:
        self.requested.append(self.path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[str]:
    """URL of a weight file whose name carries its hash, as torchvision's do."""
    folder = tmp_path / "remote"
    folder.mkdir()
    torch.save({"a": torch.arange(3.0)}, folder / "plain")
    data = (folder / "plain").read_bytes()
    name = f"net-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(data)
    (folder / "net-00000000.pth").write_bytes(data)
    Recording.requested = []
    handler = functools.partial(Recording, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{name}"
    server.shutdown()
    server.server_close()


def test_downloaded_once_then_from_the_cache(hub: Path, remote: str) -> None:
    for _ in range(2):
        found = resolve_weights("auto", url=remote, builtin=BUILTIN)
        assert found.name == "torchvision ImageNet" and found.banner is None
        assert found.tensors["a"].tolist() == [0, 1, 2]
    assert len(Recording.requested) == 1
    assert [file.suffix for file in hub.iterdir()] == [".pth"]


def test_a_damaged_download_is_not_kept(hub: Path, remote: str) -> None:
    damaged = remote.rsplit("/", 1)[0] + "/net-00000000.pth"
    with pytest.raises(WeightsError, match="hash"):
        resolve_weights("torchvision", url=damaged, builtin=BUILTIN)
    assert list(hub.iterdir()) == []
    found = resolve_weights("auto", url=damaged, builtin=BUILTIN)
    assert found.name == "built-in" and "hash" in str(found.banner)


def test_without_a_network_the_built_in_ones_with_a_banner(hub: Path) -> None:
    nobody = "http://127.0.0.1:9/net-12345678.pth"
    found = resolve_weights("auto", url=nobody, builtin=BUILTIN)
    assert found.name == "built-in" and "built-in encoder weights" in str(found.banner)
    with pytest.raises(WeightsError, match="no download"):
        resolve_weights("torchvision", url=nobody, builtin=BUILTIN)


def test_chosen_built_in_weights_need_no_banner(hub: Path) -> None:
    assert resolve_weights("builtin", url="http://127.0.0.1:9/x-12345678.pth", builtin=BUILTIN).banner is None


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError):
        resolve_weights(str(tmp_path / "evil.pth"), url="", builtin=BUILTIN)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["none.safetensors", "text.safetensors", "text.pth"])
def test_missing_and_unreadable_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.safetensors").write_text("no tensors")
    (tmp_path / "text.pth").write_text("no tensors")
    with pytest.raises(WeightsError, match=name):
        resolve_weights(str(tmp_path / name), url="", builtin=BUILTIN)


def test_our_squeezenet_is_torchvisions() -> None:
    """The same names, shapes, order of layers and published weights."""
    theirs, ours = (
        torchvision.models.squeezenet1_1(weights=None).features.eval(),
        squeezenet_features().eval(),
    )
    ours.load_state_dict(theirs.state_dict())
    for side in (57, 64):
        pixels = torch.rand(2, 3, side, side)
        with torch.inference_mode():
            assert torch.equal(ours(pixels), theirs(pixels))
    assert torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url == IMAGENET_URL


def test_the_service_starts_without_torchvision() -> None:
    """Importing it takes a second, and the encoder of most users does not need it."""
    program = (
        "import sys; from pathlib import Path; import lightbulb.web.app;"
        "from lightbulb.services.plugins import encoder_named, read_config;"
        "config = read_config(Path('config/digits.yml'), needs_dataset=False);"
        "encoder_named(config.model.encoder);"
        "sys.exit('torchvision' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    with_code = {**os.environ, "PYTHONPATH": str(root / "code")}
    assert (
        subprocess.run([sys.executable, "-c", program], cwd=root, env=with_code, check=False).returncode == 0
    )
