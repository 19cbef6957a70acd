"""The Makefile and the files around it, with pip and Python replaced by scripts that note their calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lightbulb.config import load_config

REPOSITORY = Path(__file__).parents[1]
FILES = ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml")

FAKE_PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
case "$*" in
  "-m venv --clear "*) mkdir -p .virt/bin && for tool in python lightbulb ruff mypy; do
     cp "$0" ".virt/bin/$tool"; done ;;
  *sys.version_info*) exit {too_old} ;;
  *ensurepip*) exit {no_venv} ;;
esac
"""


class Checkout:
    """A folder with the Makefile in it and a Python that only notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        for name in FILES:
            shutil.copyfile(REPOSITORY / name, folder / name)
        self.write_python()

    def write_python(self, *, too_old: bool = False, no_venv: bool = False) -> None:
        python = self.folder / "python9"
        python.write_text(FAKE_PYTHON.format(log=self.log, too_old=int(too_old), no_venv=int(no_venv)))
        python.chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # make test runs us: its own flags and variables are not for the make we try
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        environment.pop("ARGS", None)
        environment.pop("PIP_EXTRA", None)
        command = ["make", "PYTHON=./python9", *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def calls(self) -> list[str]:
        """What was run since the last look."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in lines if " -c " not in line and "--version" not in line]

    def age(self, path: str, seconds: int) -> None:
        """Sets a file's time back (or, negative, forward) instead of waiting for the clock."""
        stat = (self.folder / path).stat()
        os.utime(self.folder / path, (stat.st_atime - seconds, stat.st_mtime - seconds))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    return Checkout(tmp_path)


def test_plain_make_only_sets_up_and_only_once(checkout: Checkout) -> None:
    first = checkout.make()
    assert first.returncode == 0, first.stderr
    installed = "\n".join(checkout.calls())
    assert "-m venv --clear .virt" in installed
    assert "install -r requirements.txt" in installed
    assert "install --no-deps --no-build-isolation -e ." in installed
    assert "requirements-dev" not in installed and "dataset" not in installed

    assert checkout.make().returncode == 0
    assert checkout.calls() == []


def test_a_changed_requirements_file_installs_again(checkout: Checkout) -> None:
    checkout.make("test")
    checkout.calls()
    checkout.age("requirements-dev.txt", -60)
    checkout.make("test")
    calls = checkout.calls()
    assert any("install -r requirements-dev.txt" in call for call in calls)
    assert not any("install -r requirements.txt" in call for call in calls)

    checkout.age("requirements.txt", -60)
    checkout.make()
    calls = checkout.calls()
    assert any("install -r requirements.txt" in call for call in calls)
    assert not any("venv" in call for call in calls)


def test_an_installation_that_failed_is_tried_again(checkout: Checkout) -> None:
    checkout.make()
    checkout.calls()
    (checkout.folder / ".virt/bin/python").write_text('#!/bin/sh\ncase "$*" in *install*) exit 1 ;; esac\n')
    checkout.age("requirements.txt", -60)
    assert checkout.make().returncode != 0
    checkout.age("requirements.txt", 600)  # even when the file's time no longer tells
    assert checkout.make().returncode != 0


def test_run_makes_the_digits_and_serves_them(checkout: Checkout) -> None:
    result = checkout.make("run", "ARGS=--port 6000")
    assert result.returncode == 0, result.stderr
    assert checkout.calls()[-2:] == [
        "lightbulb dataset make digits",
        "python code/server.py --config config/digits.yml --port 6000",
    ]


def test_a_dataset_is_asked_for_although_its_folder_exists(checkout: Checkout) -> None:
    (checkout.folder / "dataset" / "cat_not_cat").mkdir(parents=True)
    checkout.make()
    checkout.calls()
    for target in ("dataset/cat_not_cat", "dataset/cat_not_cat/"):
        assert checkout.make(target).returncode == 0
        assert checkout.calls() == ["lightbulb dataset make cat_not_cat"]


def test_tests_and_lint_get_their_arguments(checkout: Checkout) -> None:
    assert checkout.make("lint", "test", "ARGS=tests/x -m 'not slow'").returncode == 0
    calls = checkout.calls()
    assert [call for call in calls if "ruff" in call] == ["ruff check .", "ruff format --check ."]
    assert "mypy " in calls
    assert calls[-1].startswith("python -m pytest -q ") and calls[-1].endswith(" tests/x -m not slow")


@pytest.mark.parametrize(
    ("kind", "message"),
    [({"too_old": True}, "needs Python 3.11 or newer"), ({"no_venv": True}, "apt install python3-venv")],
)
def test_an_unfit_python_is_named_and_nothing_is_built(checkout: Checkout, kind, message: str) -> None:
    checkout.write_python(**kind)
    result = checkout.make()
    assert result.returncode != 0
    assert message in result.stderr and "./python9" in result.stderr
    assert not (checkout.folder / ".virt").exists()


def test_clean_keeps_what_people_made(checkout: Checkout) -> None:
    checkout.make()
    for path in ("dataset/a.png", "outputs/labels.csv", "code/__pycache__/x.pyc", "tests/x.py"):
        (checkout.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout.folder / path).touch()
    assert checkout.make("clean").returncode == 0
    left = {path.name for path in checkout.folder.rglob("*") if path.is_file()}
    assert {"a.png", "labels.csv", "x.py"} <= left
    assert "x.pyc" not in left and not (checkout.folder / ".virt").exists()


def test_help_lists_every_target(checkout: Checkout) -> None:
    listed = checkout.make("help").stdout
    phony = re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    for target in {*phony[1].split(), "dataset/NAME"} - {"FORCE"}:
        assert f"make {target} " in listed


def test_requirements_are_pinned_exactly() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line.strip() for line in (REPOSITORY / name).read_text().splitlines()]
        wanted = [line for line in lines if line and not line.startswith(("#", "-r "))]
        assert [line for line in wanted if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
        names = [line.partition("==")[0].lower().replace("_", "-") for line in wanted]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["digits", "cat_not_cat"])
def test_example_configs_are_valid_with_every_option_uncommented(name: str, tmp_path: Path) -> None:
    text = (REPOSITORY / "config" / f"{name}.yml").read_text()
    options = re.compile(r"^( *)# ( *(?:[a-z_]+:)(?: .*)?)$")
    sections = {"learning:", "auto_label:", "server:", "storage:"}
    head, _, tail = text.partition("# Everything below has a good default")
    uncommented = head + "\n".join(options.sub(r"\1\2", line) for line in tail.splitlines()[1:])
    assert sections <= set(uncommented.split())
    copy = tmp_path / f"{name}.yml"
    copy.write_text(uncommented)
    written, shipped = load_config(copy), load_config(REPOSITORY / "config" / f"{name}.yml")
    # What the comments call a default is one.
    for section in ("learning", "auto_label", "server"):
        assert getattr(written, section) == getattr(shipped, section)
    assert written.database_url == shipped.database_url


def test_ci_demands_a_browser_and_runs_everything() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    text = script.read_text()
    assert "export LIGHTBULB_REQUIRE_BROWSER=1" in text and text.rstrip().endswith("make lint test")
