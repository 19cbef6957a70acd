"""No key labels with two classes, and none is one of the page's own."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from lightbulb.errors import ConfigError
from lightbulb.services.plugins import TASKS, read_config
from lightbulb.tasks.keys import RESERVED_KEYS, class_keys


def keys_of(*classes: str, **chosen: str) -> dict[str, str | None]:
    return {one.name: one.key for one in class_keys(classes, chosen)}


def test_digits_for_a_few_classes() -> None:
    assert keys_of("Cat", "Dog", "Bird") == {"Cat": "1", "Dog": "2", "Bird": "3"}
    assert keys_of(*"5678") == {"5": "5", "6": "6", "7": "7", "8": "8"}
    assert keys_of("A", "S", "B") == {"A": "a", "S": "1", "B": "b"}  # s skips


def test_letters_of_their_names_for_more() -> None:
    names = [f"class {n}" for n in range(10)] + ["Apple", "Avocado", "Under Surface", "Zebra"]
    keys = keys_of(*names)
    assert [keys[name] for name in names[:10]] == list("1234567890")
    assert [keys[name] for name in names[10:]] == ["a", "v", "n", "z"]


@pytest.mark.parametrize("count", [2, 10, 11, 33, 200])
def test_no_key_twice_and_none_of_the_pages_own(count: int) -> None:
    names = [f"class {n}" for n in range(count)]
    given = [one.key for one in class_keys(names, {"class 1": "x"})]
    used = [key for key in given if key is not None]
    assert given[1] == "x" and len(set(used)) == len(used) and not set(used) & RESERVED_KEYS
    assert len(used) == min(count, 10 + len(set(string.ascii_lowercase) - RESERVED_KEYS))


def test_chosen_keys_come_first() -> None:
    assert keys_of("Cat", "Dog", "C", Dog="C") == {"Cat": "1", "Dog": "c", "C": "2"}


@pytest.mark.parametrize(("chosen", "key"), [("ß", "ß"), ("ẞ", "ß"), ("É", "é"), ("ж", "ж"), ("ς", "ς")])
def test_letters_that_other_keyboards_have(tmp_path: Path, chosen: str, key: str) -> None:
    config = read_config(write(tmp_path, f"    Cat: {chosen}"))
    assert class_keys(config.classes, config.label.keys)[0].key == key


YAML = """\
task: {title: A}
dataset: {directory: %s}
label:
  classes: [Cat, Not Cat, 0, NO]
  keys:
%s
"""


def write(folder: Path, keys: str) -> Path:
    (folder / "pool").mkdir()
    (folder / "pool" / "a.png").write_bytes(b"x")
    path = folder / "cats.yml"
    path.write_text(YAML % (folder / "pool", keys), encoding="utf-8")
    return path


def test_keys_in_the_yaml_stay_as_written(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "    Cat: 0\n    0: n\n    NO: 7"))
    assert config.label.keys == {"Cat": "0", "0": "n", "NO": "7"}
    task = TASKS["images/classification"](config.classes, config.label.keys)
    assert [one.key for one in task.class_keys()] == ["0", "1", "n", "7"]


def test_one_key_twice_but_for_its_case(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(write(tmp_path, "    Cat: ß\n    0: ẞ\n    NO: İ"))
    assert "the key of 'Cat' already" in caught.value.problems[0]
    assert "single character" in caught.value.problems[1]  # its small letter is an i with a dot of its own


def test_every_mistake_is_named_by_its_key_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(write(tmp_path, "    Cta: c\n    Cat: s\n    Not Cat: F1\n    0: x\n    NO: X"))
    problems = {one.split(":")[0]: one for one in caught.value.problems}
    assert set(problems) == {f"label.keys.{name}" for name in ("Cta", "Cat", "Not Cat", "NO")}
    assert 'did you mean "Cat"?' in problems["label.keys.Cta"] and "line 6" in problems["label.keys.Cta"]
    assert "key of the page itself" in problems["label.keys.Cat"]
    assert "single character" in problems["label.keys.Not Cat"]
    assert "the key of '0' already" in problems["label.keys.NO"]
