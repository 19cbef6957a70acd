"""The YAML of a task: read safely, checked whole, every mistake reported at once by its key path."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lightbulb.class_names import checked_names
from lightbulb.errors import ConfigError

Problem = tuple[str, str]  # (key path, what is wrong)
Check = Callable[[Mapping[str, Any]], Iterable[Problem]]

LABEL_TYPES_WITH_FIXED_CLASSES = {"binary": ("YES", "NO")}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class TaskSection(Section):
    title: Annotated[str, Field(min_length=1)]
    description: str = ""


class DatasetSection(Section):
    directory: Path
    data_type: str = "images"
    judgements_file: Path | None = None
    follow_links: bool = False


class LabelSection(Section):
    type: str = "classification"
    classes: tuple[str, ...] = ()
    keys: dict[str, str] = {}

    @field_validator("classes")
    @classmethod
    def check_classes(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        return checked_names(classes)

    @model_validator(mode="after")
    def check_count(self) -> LabelSection:
        fixed = LABEL_TYPES_WITH_FIXED_CLASSES.get(self.type)
        if fixed and self.classes and self.classes != fixed:
            raise ValueError(
                f"classes: a {self.type} task has the classes {', '.join(fixed)}; leave the key out"
            )
        if not fixed and len(self.classes) < 2:
            raise ValueError("classes: needs two or more")
        return self


class ModelSection(Section):
    directory: Path | None = None
    encoder: str = "squeezenet"
    weights: str = "auto"
    device: str = "auto"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 224
    decoder: str = "mlp"
    keep: Annotated[int, Field(ge=1)] = 5
    fine_tune: bool = False


class LearningSection(Section):
    strategy: str = "auto"
    seed: Annotated[int, Field(ge=0)] = 0
    start_after: Annotated[int, Field(ge=2)] = 10
    holdout_every: Annotated[int, Field(ge=2)] = 5
    holdout_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    holdout_max: Annotated[int, Field(ge=1)] = 300


class AutoLabelSection(Section):
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.97
    batch_size: Annotated[int, Field(ge=1, le=1000)] = 100


class ServerSection(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 5000
    trusted_hosts: tuple[str, ...] = ()
    allow_private_urls: bool = False
    url_timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    max_image_megabytes: Annotated[float, Field(gt=0)] = 25.0
    max_image_megapixels: Annotated[float, Field(gt=0)] = 60.0
    uploads: bool = True

    @property
    def max_pixels(self) -> float:
        """Width x height of the largest picture that is opened."""
        return self.max_image_megapixels * 1e6


class StorageSection(Section):
    database: str | None = None
    embeddings: Path | None = None


class Config(Section):
    """One task.

    name: the YAML's file name without its suffix. Paths are relative to the working directory.
    """

    name: str = "task"
    task: TaskSection
    dataset: DatasetSection
    label: LabelSection
    model: ModelSection = ModelSection()
    learning: LearningSection = LearningSection()
    auto_label: AutoLabelSection = AutoLabelSection()
    server: ServerSection = ServerSection()
    storage: StorageSection = StorageSection()
    user: Annotated[str, Field(min_length=1)] = "annotator"

    @property
    def classes(self) -> tuple[str, ...]:
        return self.label.classes or LABEL_TYPES_WITH_FIXED_CLASSES[self.label.type]

    @property
    def judgements_file(self) -> Path:
        return self.dataset.judgements_file or Path("outputs") / self.name / "labels.csv"

    @property
    def model_directory(self) -> Path:
        return self.model.directory or self.judgements_file.parent / "models"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL; SQLite beside the judgements file unless `storage.database` says otherwise."""
        database = self.storage.database
        if database and "://" in database:
            return database
        path = Path(database) if database else self.judgements_file.with_suffix(".db")
        return f"sqlite:///{path}"

    @property
    def embeddings_directory(self) -> Path:
        return self.storage.embeddings or self.judgements_file.parent / "embeddings"


def load_config(path: Path, checks: Iterable[Check] = ()) -> Config:
    """Reads a task's YAML.

    checks: further checks on the raw mapping (of names and folders, which this module knows nothing
    of), so that their problems are reported together with its own.

    Raises: ConfigError listing every mistake by key path and line.
    """
    raw, lines, problems = _read_yaml(path)
    for key_path, _ in problems:
        lines.setdefault(key_path, 0)
    config: Config | None = None
    try:
        config = Config.model_validate({**raw, "name": path.stem} if "name" not in raw else raw)
        if "name" in raw:
            problems.append(("name", _unknown_key("name", Config)))
    except ValidationError as error:
        problems += [_explain(entry) for entry in error.errors()]
    already = {key_path for key_path, _ in problems}
    for check in checks:
        problems += [problem for problem in check(raw) if problem[0] not in already]
    if problems or config is None:
        raise ConfigError([_with_line(problem, lines) for problem in problems], source=str(path))
    return config


def value_at(raw: Mapping[str, Any], key_path: str, default: Any = None) -> Any:
    """The value at "model.encoder" in nested mappings, or the default."""
    value: Any = raw
    for key in key_path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return value


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """', did you mean "x"?' or the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f', did you mean "{close[0]}"?' if close else f" (known: {', '.join(names)})"


# --- YAML ----------------------------------------------------------------------------------------


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's core types: a class named NO, on, 012 or 2024-01-01 stays as written."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (the name and kind PyYAML reads)


def _decimal_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)), 10)


_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), None)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_PlainLoader.add_constructor("tag:yaml.org,2002:int", _decimal_int)


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[str, int], list[Problem]]:
    """(mapping, line of each key path, problems such as duplicate keys)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(["there is no such file"], source=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cannot be read: {error}"], source=str(path)) from None
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(
                ["must be a mapping of sections such as task, dataset, label"], source=str(path)
            )
        lines: dict[str, int] = {}
        problems: list[Problem] = []
        _walk(node, "", lines, problems)
        _keep_class_names_as_written(node)
        raw = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigError([f"is not valid YAML: {_yaml_mistake(error)}"], source=str(path)) from None
    return dict(raw), lines, problems


def _yaml_mistake(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _walk(node: yaml.Node, prefix: str, lines: dict[str, int], problems: list[Problem]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            lines[f"{prefix}.{index}"] = child.start_mark.line + 1
        return
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        key_path = f"{prefix}.{key.value}" if prefix else str(key.value)
        if key_path in seen:
            problems.append((key_path, f"is given twice (again on line {key.start_mark.line + 1})"))
        seen.add(key_path)
        lines.setdefault(key_path, key.start_mark.line + 1)
        _walk(value, key_path, lines, problems)


def _keep_class_names_as_written(root: yaml.MappingNode) -> None:
    """`classes: [0, 1.50, null]` are three names, not a number, a float and nothing; in `keys` they and
    their keys alike."""
    for key, section in root.value:
        if key.value != "label" or not isinstance(section, yaml.MappingNode):
            continue
        for inner_key, names in section.value:
            written: list[yaml.Node] = []
            if inner_key.value == "classes" and isinstance(names, yaml.SequenceNode):
                written = names.value
            elif inner_key.value == "keys" and isinstance(names, yaml.MappingNode):
                written = [node for pair in names.value for node in pair]
            for name in written:
                if isinstance(name, yaml.ScalarNode):
                    name.tag = "tag:yaml.org,2002:str"


# --- problems in words ---------------------------------------------------------------------------


def _explain(entry: Any) -> Problem:
    key_path = ".".join(str(part) for part in entry["loc"])
    kind = entry["type"]
    if kind == "extra_forbidden":
        return key_path, _unknown_key(str(entry["loc"][-1]), _section_at(entry["loc"][:-1]))
    if kind == "missing":
        return key_path, "is missing"
    if kind == "value_error":
        message = str(entry["ctx"]["error"])
        head, _, rest = message.partition(": ")
        # A validator of a whole section names the key it means in front of a colon.
        if rest and head.isidentifier():
            return (f"{key_path}.{head}" if key_path else head), rest
        return key_path, message
    value = entry.get("input")
    shown = f" (got {value!r})" if isinstance(value, str | int | float | bool | None) else ""
    message = entry["msg"]
    return key_path, message[:1].lower() + message[1:] + shown


def _unknown_key(key: str, section: type[BaseModel]) -> str:
    names = [name for name in section.model_fields if not (section is Config and name == "name")]
    return f"unknown key{did_you_mean(key, names)}"


def _section_at(location: tuple[Any, ...]) -> type[BaseModel]:
    section: type[BaseModel] = Config
    for part in location:
        annotation = section.model_fields[str(part)].annotation
        for option in (annotation, *get_args(annotation)):
            if isinstance(option, type) and issubclass(option, BaseModel):
                section = option
    return section


def _with_line(problem: Problem, lines: Mapping[str, int]) -> str:
    key_path, what = problem
    line = lines.get(key_path) or lines.get(key_path.rpartition(".")[0])
    suffix = f" (line {line})" if line else ""
    return f"{key_path}: {what}{suffix}" if key_path else f"{what}{suffix}"


def readable_directory_problem(directory: Path) -> str | None:
    """Why a folder cannot be used as a dataset, or None."""
    if not directory.exists():
        return f"{directory} does not exist"
    if not directory.is_dir():
        return f"{directory} is not a folder"
    if not os.access(directory, os.R_OK | os.X_OK):
        return f"{directory} cannot be read (permissions)"
    return None
