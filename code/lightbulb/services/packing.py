"""A model as one file that serves elsewhere: its folder, the YAML that serves it, and how to."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import yaml

from lightbulb.config import Config
from lightbulb.errors import Conflict
from lightbulb.services.encoder_handle import CHOOSING
from lightbulb.store.models import ModelFolder
from lightbulb.store.tuned import tuned_path

IN_MEMORY = 8 * 1024 * 1024  # bytes; what is larger waits on disk
README = """\
{title}
{underline}

{labels} labels; {accuracy}.
models/{version:06d}/model.json says how it was made.

Unpack it, and in its folder run

    lightbulb serve --config config.yml --mode production

Then, from another terminal:

    curl --form files=@picture.jpg http://localhost:5000/score

The encoder's weights: {weights}.
"""


def pack(models: ModelFolder, version: int, config: Config, release: str) -> IO[bytes]:
    """The zip file, at its beginning; whoever takes it closes it. It holds one folder, `NAME-model-VERSION`.

    release: of Light Bulb, which the file's README tells.
    Raises: NotFound if the version is not kept; StoreError if damaged; Conflict if its weights are lost.
    """
    stored = models.load(version)
    folder = models.folder(version)
    root = f"{config.name}-model-{version}"
    card_has = stored.card.get("made_with", {})
    made_with = {key: card_has.get(key, getattr(config.model, key)) for key in CHOOSING}
    own_files = [key for key in ("encoder", "weights") if Path(made_with[key]).is_file()]
    packed: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (it is handed on)
    with zipfile.ZipFile(packed, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{root}/models/{version:06d}/{file.name}")
        if tuned := card_has.get("tuned"):
            source = tuned_path(config.model_directory, tuned)
            if not source.is_file():
                raise Conflict(f"model {version}: its fine-tuned weights are lost", code="weights_missing")
            archive.write(source, f"{root}/{tuned_path(Path('models'), tuned)}")
        for key in own_files:
            source = Path(made_with[key])
            made_with[key] = f"{key}/{source.name}"  # a folder for each: both may have the same name
            with source.open("rb") as weights, archive.open(f"{root}/{made_with[key]}", "w") as inside:
                shutil.copyfileobj(weights, inside)
        archive.writestr(f"{root}/config.yml", _config_text(config, made_with))
        archive.writestr(
            f"{root}/README.txt", _readme(config.task.title, release, stored.card, bool(own_files or tuned))
        )
    packed.seek(0)
    return packed


def _config_text(config: Config, made_with: Mapping[str, Any]) -> str:
    """The YAML of `--mode production`, which needs no items."""
    raw = {
        "task": {"title": config.task.title, "description": config.task.description},
        "dataset": {"directory": "dataset", "data_type": config.dataset.data_type},
        "label": {"type": config.label.type, "classes": list(config.label.classes)},
        "model": {"directory": "models", "decoder": config.model.decoder, **made_with},
    }
    return yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)


def _readme(task: str, release: str, card: Mapping[str, Any], has_weights: bool) -> str:
    accuracy, version = card["accuracy"], card["version"]
    measured = (
        f"accuracy {accuracy['value']:.1%}, 95% interval {accuracy['low']:.1%} to {accuracy['high']:.1%}, "
        f"measured on {accuracy['n']} held-out items"
        if accuracy
        else "its accuracy was not measured yet"
    )
    title = f"{task}: model {version} of Light Bulb {release}"
    return README.format(
        title=title,
        version=version,
        underline="=" * len(title),
        labels=card["labels"],
        accuracy=measured,
        weights="in this folder" if has_weights else f"{card['weights']}, found by Light Bulb itself",
    )
