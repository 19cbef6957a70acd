"""Every mistake at once, by key and line; YAML's traps sprung nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lightbulb.cli import main
from lightbulb.config import load_config
from lightbulb.errors import ConfigError
from lightbulb.services.plugins import read_config

SEED = """\
task:
  title: Cat or not
  description: Is it a cat?
dataset:
  directory: {directory}
  data_type: images
  judgements_file: outputs/cats/labels.csv
label:
  type: classification
  classes:
    - Cat
    - Not Cat
model:
  directory: outputs/cats/models
user: chris
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "cats.yml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    return caught.value.problems


def test_the_seeds_yaml_loads_unchanged(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SEED.format(directory="dataset/cats")))
    assert config.classes == ("Cat", "Not Cat") and config.user == "chris" and config.name == "cats"
    assert config.model_directory == Path("outputs/cats/models")
    assert config.database_url == "sqlite:///outputs/cats/labels.db"
    assert (config.auto_label.confidence, config.auto_label.batch_size) == (0.97, 100)


def test_all_mistakes_come_together_by_key_and_line(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        "task: {title: A}\n"
        "dataset: {directory: x}\n"
        "label: {classes: [only]}\n"
        "model:\n  encodr: squeezenet\n  image_size: big\n"
        "server: {port: 70000}\n"
        "lerning: {}\n",
    )
    assert len(problems) == 5
    assert 'model.encodr: unknown key, did you mean "encoder"? (line 5)' in problems
    assert "label.classes: needs two or more (line 3)" in problems
    assert any(one.startswith("model.image_size:") and "'big'" in one for one in problems)
    assert any(one.startswith("server.port:") for one in problems)
    assert any(one.startswith("lerning: unknown key") for one in problems)


def test_a_key_given_twice_is_no_silent_winner(tmp_path: Path) -> None:
    text = SEED.format(directory="a").replace("  data_type", "  directory: b\n  data_type")
    assert any("dataset.directory: is given twice" in one for one in problems_of(tmp_path, text))


def test_class_names_stay_as_written(tmp_path: Path) -> None:
    classes = "[NO, on, 012, 1.50, null, 2024-01-01, 'a, \"b\"', größer]"
    text = f"task: {{title: A}}\ndataset: {{directory: x}}\nlabel:\n  classes: {classes}\n"
    config = load_config(write(tmp_path, text))
    assert config.classes == ("NO", "on", "012", "1.50", "null", "2024-01-01", 'a, "b"', "größer")


def test_numbers_in_scientific_notation_are_numbers(tmp_path: Path) -> None:
    text = SEED.format(directory="x") + "auto_label: {confidence: 9.5e-1}\n"
    assert load_config(write(tmp_path, text)).auto_label.confidence == 0.95


def test_binary_means_yes_and_no(tmp_path: Path) -> None:
    text = "task: {title: A}\ndataset: {directory: x}\nlabel: {type: binary}\n"
    assert load_config(write(tmp_path, text)).classes == ("YES", "NO")
    assert load_config(write(tmp_path, text.replace("binary", "binary, classes: [YES, NO]"))).classes == (
        "YES",
        "NO",
    )
    assert "YES, NO" in problems_of(tmp_path, text.replace("binary", "binary, classes: [A, B]"))[0]


@pytest.mark.parametrize(
    ("classes", "word"),
    [("[A, A]", "twice"), ('[A, ""]', "empty"), ('[A, "b\\nc"]', "control"), ("A", "label.classes")],
)
def test_bad_class_names(tmp_path: Path, classes: str, word: str) -> None:
    text = f"task: {{title: A}}\ndataset: {{directory: x}}\nlabel: {{classes: {classes}}}\n"
    assert any(word in one for one in problems_of(tmp_path, text))


@pytest.mark.parametrize(
    "name",
    [
        "می\u200cخواهم",  # Persian: the prefix stands apart, but no space does
        "क्\u200dष",  # Devanagari: a half letter
        "അവന്\u200d",  # Malayalam, as written before it had a letter of its own for this: at the end, too
        "👨\u200d👩\u200d👧",
        "❤\ufe0f\u200d🔥",
        "rainbow 🏳\ufe0f\u200d🌈 flag",
    ],
)
def test_joiners_inside_class_names(tmp_path: Path, name: str) -> None:
    text = f"task: {{title: A}}\ndataset: {{directory: x}}\nlabel:\n  classes: [A, {name}]\n"
    assert load_config(write(tmp_path, text)).classes == ("A", name)
    if (bare := name.replace("\u200d", "").replace("\u200c", "")) != name:
        assert "look alike" in problems_of(tmp_path, text.replace("[A,", f"[{bare},"))[0]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("\u200d", "cannot be seen"),
        ("\u200c\u200d", "cannot be seen"),
        ("\u3164", "cannot be seen"),
        ("\ufe0f", "cannot be seen"),
        ("\u200dCat", "joins nothing"),
        ("Cat\u200c", "joins nothing"),
        ("Ca\u200d\u200dt", "joins nothing"),
        ("Cat\u200d show", "joins nothing"),
        ("Cat \u200dshow", "joins nothing"),
        ("\ufe0f\u200dCat", "joins nothing"),
        ("D\u200do\u200cg", "look alike, 'Dog'"),
        ("Dog\ufe0f", "look alike, 'Dog'"),
        ("C\u200bat", "control"),  # a zero-width space
        ("C\u00adat", "control"),  # a soft hyphen
        ("C\u202eat", "control"),  # turns the direction round
    ],
)
def test_names_that_cannot_be_told_apart_by_eye(tmp_path: Path, name: str, word: str) -> None:
    text = f'task: {{title: A}}\ndataset: {{directory: x}}\nlabel: {{classes: [Dog, "{name}"]}}\n'
    assert any(word in one for one in problems_of(tmp_path, text))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "a: [", "a: !!python/object:os.system {}"])
def test_what_is_no_mapping_or_no_yaml(tmp_path: Path, text: str) -> None:
    assert len(problems_of(tmp_path, text)) == 1


def test_names_and_folders_are_checked_with_the_rest(tmp_path: Path) -> None:
    text = SEED.format(directory=tmp_path / "none").replace("user: chris", "user: chris\nextra: 1")
    text = text.replace("model:\n", "model:\n  encoder: squeezent\n  weights: no/such.pth\n")
    text += "learning: {strategy: margn}\n"
    with pytest.raises(ConfigError) as caught:
        read_config(write(tmp_path, text))
    joined = "\n".join(caught.value.problems)
    for expected in (
        "model.encoder: unknown name 'squeezent', did you mean \"squeezenet\"?",
        "learning.strategy: unknown name 'margn', did you mean \"margin\"?",
        "model.weights: there is no file no/such.pth",
        "dataset.directory:",
        "extra: unknown key",
    ):
        assert expected in joined


def test_a_dataset_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    (tmp_path / "file").write_text("a")
    for name, word in (
        ("empty", "holds no images"),
        ("texts", "holds no images"),
        ("file", "not a folder"),
        ("x", "does not exist"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_config(write(tmp_path, SEED.format(directory=tmp_path / name)))
        assert word in caught.value.problems[0] and caught.value.problems[0].startswith("dataset.directory")


def test_the_command_line_exits_with_2_and_says_why(tmp_path: Path) -> None:
    path = write(
        tmp_path, "task: {}\nlabel: {type: clasification, classes: [A, B]}\ndataset: {directory: x}\n"
    )
    result = CliRunner().invoke(main, ["serve", "--config", str(path)])
    assert result.exit_code == 2
    for word in ("task.title", "label.type", 'did you mean "classification"', "dataset.directory"):
        assert word in result.stderr
    missing = CliRunner().invoke(main, ["serve", "--config", str(tmp_path / "none.yml")])
    assert missing.exit_code == 2 and "no such file" in missing.stderr
