"""Where an encoder's weights come from: a configured path, torchvision's ImageNet ones, the built-in ones."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
import structlog
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from lightbulb.errors import WeightsError
from lightbulb.torch_setup import torch

log = structlog.get_logger()

Tensors = Mapping[str, torch.Tensor]

BUILTIN_DIRECTORY = Path(__file__).parent / "weights"
CONNECT_SECONDS, READ_SECONDS = 4.0, 15.0  # a machine without a network must start soon all the same
FALLBACK_BANNER = (
    "Using the small built-in encoder weights, because torchvision's ImageNet weights could not be "
    "downloaded ({reason}). Labels are safe either way, but the model learns noticeably faster with the "
    "ImageNet weights: start again with a network, or set model.weights to a file."
)


@dataclass(frozen=True)
class Weights:
    """name: for people and reports. digest: sha256 of the file, for the encoder's fingerprint."""

    tensors: Tensors
    name: str
    digest: str
    banner: str | None = None


def resolve_weights(configured: str, *, url: str, builtin: str | None) -> Weights:
    """Finds weights in this order: the configured path, torchvision's, the built-in ones.

    configured: "auto", "torchvision", "builtin" or a path to a .safetensors or .pth file.
    url: torchvision's, ending in -HASH8.pth as all of theirs do. builtin: file in `weights/`, None if the
    project has none for this network.

    Raises: WeightsError if what was asked for by name cannot be had; "auto" falls back with a banner.
    """
    if configured == "builtin":
        if builtin is None:
            raise WeightsError("model.weights: there are built-in weights for the encoder squeezenet alone")
        return _load(BUILTIN_DIRECTORY / builtin, "built-in")
    if configured not in ("auto", "torchvision"):
        return _load(Path(configured), Path(configured).name)
    try:
        return _load(cached_download(url), "torchvision ImageNet")
    except WeightsError as error:
        if configured == "torchvision":
            raise
        if builtin is None:
            raise WeightsError(
                f"model.weights: torchvision's could not be had ({error.message}), and only squeezenet has "
                "built-in ones: start with a network once, or set model.weights to a file"
            ) from error
        reason = error.message
    log.warning("weights.fallback", weights="built-in", reason=reason)
    fallback = _load(BUILTIN_DIRECTORY / builtin, "built-in")
    return Weights(fallback.tensors, fallback.name, fallback.digest, FALLBACK_BANNER.format(reason=reason))


def cached_download(url: str) -> Path:
    """torchvision's file from torch's own cache; downloaded if need be, and checked by the hash in its name.

    torch.hub's downloader has no timeout, hence this one. Raises: WeightsError.
    """
    target = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if target.exists():
        return target
    expected = re.search(r"-([0-9a-f]{8,})\.", target.name)
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (
            requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response,
            tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as file,
        ):
            part = Path(file.name)
            response.raise_for_status()
            for block in response.iter_content(1 << 16):
                digest.update(block)
                file.write(block)
        if expected and not digest.hexdigest().startswith(expected.group(1)):
            raise WeightsError("the downloaded file is damaged: its hash is not the one in its name")
        part.replace(target)
    except requests.RequestException as error:
        raise WeightsError(f"no download: {type(error).__name__}") from error
    except OSError as error:
        raise WeightsError(f"no download: {error}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return target


def _load(path: Path, name: str) -> Weights:
    """Reads a file without ever unpickling code."""
    if not path.is_file():
        raise WeightsError(f"model.weights: there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            tensors: Tensors = load_file(path)
            with safe_open(path, framework="numpy") as file:
                name = (file.metadata() or {}).get("weights_name", name)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise WeightsError(f"model.weights: {path} cannot be read: {error}") from error
    except Exception as error:  # pickle's own errors: a file that would run code is refused here
        raise WeightsError(f"model.weights: {path} is refused: {type(error).__name__}") from error
    if not isinstance(tensors, Mapping):
        raise WeightsError(f"model.weights: {path} holds no named tensors")
    return Weights(tensors, name, hashlib.sha256(path.read_bytes()).hexdigest())


def fit_into(network: torch.nn.Module, weights: Weights, *, prefix: str) -> None:
    """Loads tensors into a network, accepting keys with or without `prefix` and ignoring other parts.

    Raises: WeightsError naming the keys that are missing or have another shape.
    """
    wanted = network.state_dict()
    tensors = {key.removeprefix(prefix): tensor.float() for key, tensor in weights.tensors.items()}
    missing = [key for key in wanted if key not in tensors]
    odd = [key for key in wanted if key in tensors and tensors[key].shape != wanted[key].shape]
    if missing or odd:
        names = ", ".join((missing + odd)[:3])
        raise WeightsError(f"model.weights: {weights.name} is for another architecture (see {names})")
    network.load_state_dict({key: tensors[key] for key in wanted})
