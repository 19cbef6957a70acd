from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightbulb.errors import InputError
from lightbulb.measuring.bench_scale import CLASSES, ROWS, MadeUpPool, bench_scale, make, show
from support import opened


def test_a_thousand_items_from_start_to_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = bench_scale([1000], 32, posts=1, requests=2, folder=tmp_path)
    (row,) = result["rows"]
    assert row["items"] == 1000 and row["accuracy"] > 0.2  # by chance it would be 0.1
    assert all(row[name] > 0 for name, _, _ in ROWS)
    assert list(tmp_path.iterdir()) == []
    show(result, as_json=False)
    assert "start-up" in capsys.readouterr().out


def test_the_made_up_pool_is_found_encoded(tmp_path: Path) -> None:
    pool = MadeUpPool(tmp_path, 1000, 16)
    make(pool, np.random.default_rng(0))
    counts = np.bincount([pool.class_of(index) for index in range(1000)], minlength=len(CLASSES))
    assert counts.min() > 90
    with opened(pool.config(), source=pool.source()) as workspace:
        workspace.learner.step()
        assert workspace.encoded.count == 1000 and not workspace.encoded.n_pending
        question = workspace.asking.next_questions(1)[0][0]
        assert pool.label(question.key) in CLASSES


def test_too_small_a_pool_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1000"):
        bench_scale([1000, 10], 32, posts=1, requests=1)
