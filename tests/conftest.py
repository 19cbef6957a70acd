"""Fixtures: the digits once for all tests, small pools of them for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lightbulb.datasets.digits import Digits
from lightbulb.services.assemble import Workspace
from support import answer, config_for, copy_digits, learn, opened, read_truth


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits/ (1,797 PNGs) and digits.truth.csv."""
    root = tmp_path_factory.mktemp("dataset")
    Digits().make(root)
    return root


@pytest.fixture(scope="session")
def truth(digits: Path) -> dict[str, str]:
    return read_truth(digits / "digits.truth.csv")


@pytest.fixture
def pool(digits: Path, tmp_path: Path) -> Path:
    """60 digits in a folder of the test's own."""
    return copy_digits(digits / "digits", tmp_path / "pool", 60)


@pytest.fixture
def workspace(pool: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace on `pool`, nothing encoded or labelled yet."""
    with opened(config_for(tmp_path, pool)) as found:
        yield found


@pytest.fixture(scope="session")
def trained(
    digits: Path, truth: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    """A workspace on 300 digits with 60 labels and a model. Shared: change nothing in it."""
    folder = tmp_path_factory.mktemp("trained")
    directory = copy_digits(digits / "digits", folder / "pool", 300)
    with opened(config_for(folder, directory)) as found:
        learn(found)
        answer(found, truth, 60)
        learn(found)
        yield found
