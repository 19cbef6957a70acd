"""The plug-ins by name, and the checks of a configuration that depend on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightbulb.decoders
import lightbulb.encoders
import lightbulb.querying
import lightbulb.store.formats
import lightbulb.tasks
from lightbulb.config import (
    LABEL_TYPES_WITH_FIXED_CLASSES,
    Config,
    Problem,
    did_you_mean,
    load_config,
    readable_directory_problem,
    value_at,
)
from lightbulb.decoders import Decoder
from lightbulb.encoders import Encoder
from lightbulb.errors import ConfigError
from lightbulb.items.folder import folder_has_items
from lightbulb.querying import QueryStrategy
from lightbulb.registry import discover
from lightbulb.store.formats import LabelFormat
from lightbulb.tasks import Task
from lightbulb.tasks.keys import key_problems
from lightbulb.torch_setup import device_problem

TASKS = discover(lightbulb.tasks, Task)
ENCODERS = discover(lightbulb.encoders, Encoder)
DECODERS = discover(lightbulb.decoders, Decoder)
STRATEGIES = discover(lightbulb.querying, QueryStrategy)
FORMATS = discover(lightbulb.store.formats, LabelFormat)
WEIGHT_NAMES = ("auto", "torchvision", "builtin")


def read_config(path: Path, *, needs_dataset: bool = True) -> Config:
    """The YAML, its names and its folders checked together. Raises: ConfigError listing every mistake."""
    checks = [name_problems, class_key_problems, encoder_problems, weight_problems]
    return load_config(path, [*checks, dataset_problems] if needs_dataset else checks)


def name_problems(raw: Mapping[str, Any]) -> Iterable[Problem]:
    known: dict[str, Collection[str]] = {
        "model.decoder": DECODERS,
        "learning.strategy": STRATEGIES,
        "dataset.data_type": {task.data_type for task in TASKS.values()},
    }
    for key_path, names in known.items():
        value = value_at(raw, key_path)
        if isinstance(value, str) and value not in names:
            yield key_path, f"unknown name {value!r}{did_you_mean(value, names)}"
    data_type = value_at(raw, "dataset.data_type", "images")
    label_type = value_at(raw, "label.type", "classification")
    of_this = [name.partition("/")[2] for name in TASKS if name.startswith(f"{data_type}/")]
    if of_this and isinstance(label_type, str) and label_type not in of_this:
        yield "label.type", f"unknown type {label_type!r} for {data_type}{did_you_mean(label_type, of_this)}"


def class_key_problems(raw: Mapping[str, Any]) -> Iterable[Problem]:
    keys = value_at(raw, "label.keys")
    fixed = LABEL_TYPES_WITH_FIXED_CLASSES.get(str(value_at(raw, "label.type")))
    classes = fixed or value_at(raw, "label.classes")
    if not isinstance(keys, Mapping) or not isinstance(classes, Sequence):
        return
    given = {str(name).strip(): key.strip() for name, key in keys.items() if isinstance(key, str)}
    for name, problem in key_problems([str(one).strip() for one in classes], given):
        yield f"label.keys.{name}", problem


def encoder_named(name: str) -> type[Encoder]:
    """Raises: KeyError if nothing goes by this name."""
    for encoder in ENCODERS.values():
        if encoder.accepts(name):
            return encoder
    raise KeyError(name)


def encoder_problems(raw: Mapping[str, Any]) -> Iterable[Problem]:
    name = value_at(raw, "model.encoder")
    if isinstance(name, str) and not any(one.accepts(name) for one in ENCODERS.values()):
        known = [example for one in ENCODERS.values() for example in one.examples()]
        hint = did_you_mean(name, known) or f" (known: {', '.join(known)}, any model of torchvision)"
        yield "model.encoder", f"unknown name {name!r}{hint}"
    elif isinstance(name, str) and value_at(raw, "model.fine_tune") is True:
        yield from fine_tune_problems(name)
    device = value_at(raw, "model.device")
    if isinstance(device, str) and (problem := device_problem(device)):
        yield "model.device", problem


def fine_tune_problems(encoder: str) -> Iterable[Problem]:
    if not encoder_named(encoder).tunable:
        able = ", ".join(one.name for one in ENCODERS.values() if one.tunable)
        yield "model.fine_tune", f"the encoder {encoder} cannot be fine-tuned (these can: {able})"


def check_fine_tuning(config: Config) -> None:
    """Raises: ConfigError if the config's encoder cannot be fine-tuned, and is to be."""
    if config.model.fine_tune and (problems := list(fine_tune_problems(config.model.encoder))):
        raise ConfigError([f"{key_path}: {what}" for key_path, what in problems])


def weight_problems(raw: Mapping[str, Any]) -> Iterable[Problem]:
    weights = value_at(raw, "model.weights")
    if isinstance(weights, str) and weights not in WEIGHT_NAMES and not Path(weights).is_file():
        yield "model.weights", f"there is no file {weights} (and it is none of {', '.join(WEIGHT_NAMES)})"


def dataset_problems(raw: Mapping[str, Any]) -> Iterable[Problem]:
    directory = value_at(raw, "dataset.directory")
    if not isinstance(directory, str):
        return
    problem = readable_directory_problem(Path(directory))
    if problem:
        yield "dataset.directory", f"{problem}; `make dataset/NAME` makes the example datasets"
        return
    data_type = value_at(raw, "dataset.data_type", "images")
    suffixes = {suffix for task in TASKS.values() if task.data_type == data_type for suffix in task.suffixes}
    follow = value_at(raw, "dataset.follow_links", False) is True
    if suffixes and not folder_has_items(Path(directory), frozenset(suffixes), follow_links=follow):
        listed = ", ".join(sorted(suffix.removeprefix(".") for suffix in suffixes))
        yield "dataset.directory", f"{directory} holds no {data_type} ({listed})"
