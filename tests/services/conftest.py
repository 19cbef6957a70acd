from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_bench import CLASSES, Bench, N, bench_on
from support import config_for, copy_digits, opened


@pytest.fixture
def bench(digits: Path, tmp_path: Path) -> Iterator[Bench]:
    directory = copy_digits(digits / "digits", tmp_path / "pool", N)
    with opened(config_for(tmp_path, directory, label={"classes": CLASSES})) as workspace:
        yield bench_on(workspace)
