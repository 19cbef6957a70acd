from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lightbulb.errors import InputError
from lightbulb.measuring import bench_decoders as module
from lightbulb.measuring.bench_decoders import (
    EmbeddedItems,
    balanced_accuracy,
    bench_and_report,
    choose_cost,
    compare,
    draw,
)
from support import config_for, copy_digits


def test_reports_every_decoder_beside_logistic_regression(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COSTS", (1.0,))
    copy_digits(digits / "digits", tmp_path / "pool", 60)
    rows = (digits / "digits.truth.csv").read_text().splitlines()
    truth = tmp_path / "truth.csv"
    truth.write_text("\n".join(rows[:61]) + "\n")
    config = config_for(tmp_path, tmp_path / "pool")
    bench_and_report(config, truth, 1, 1.0, counts=(10, 30), as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert (result["items"], result["seeds"], result["metric"]) == (60, 1, "accuracy")
    names = [one["name"] for one in result["contenders"]]
    assert {"mlp", "knn", "logistic", "logistic-cv", "logistic-raw", "logistic-raw-cv"} <= set(names)
    for one in result["contenders"]:
        assert [point["labels"] for point in one["curve"]] == [10, 30]
        assert all(0.1 < point["mean"] <= 1 for point in one["curve"])
    with pytest.raises(InputError, match="only 60 items"):
        bench_and_report(config, truth, 1, 1.0, counts=(150,))


def test_one_half_of_the_classes_is_drawn_so_much_rarer() -> None:
    targets = np.repeat(np.arange(4), 1000)
    counts = np.zeros(4)
    for seed in range(20):
        drawn = draw(targets, 200, 9, np.random.default_rng(seed))
        assert len(np.unique(drawn)) == 200
        counts += np.sort(np.bincount(targets[drawn], minlength=4))
    assert counts[2:].sum() / counts[:2].sum() == pytest.approx(9, rel=0.15)


def test_every_draw_has_two_classes() -> None:
    targets = np.array([0] * 30 + [1])
    for seed in range(10):
        assert len(np.unique(targets[draw(targets, 2, 1, np.random.default_rng(seed))])) == 2


def test_balanced_accuracy_by_hand() -> None:
    """3 of 4 and 0 of 1 right: (0.75 + 0) / 2."""
    assert balanced_accuracy(np.array([0, 0, 0, 1, 0]), np.array([0, 0, 0, 0, 1])) == 0.375


def test_a_fold_without_a_class_is_no_obstacle_to_choosing_c() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 4)).astype(np.float32)
    assert choose_cost(x, np.array([0] * 9 + [1]), [1.0, 0.1], balanced_accuracy, rng) in (1.0, 0.1)


def test_items_of_one_class_are_refused() -> None:
    items = EmbeddedItems.of(np.ones((20, 4), dtype=np.float32), np.zeros(20, dtype=np.int64), 2)
    with pytest.raises(InputError, match="one class"):
        compare(items, (5,), 1, 1)
