from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightbulb.errors import InputError
from lightbulb.measuring.simulate import parse_budgets, simulate_and_report
from support import config_for, copy_digits


def test_reports_what_it_promises_and_learns(digits: Path, tmp_path: Path) -> None:
    copy_digits(digits / "digits", tmp_path / "pool", 200)
    config = config_for(tmp_path, tmp_path / "pool")
    truth = tmp_path / "truth.csv"
    rows = (digits / "digits.truth.csv").read_text().splitlines()
    truth.write_text("\n".join(rows[:201]) + "\n")
    simulate_and_report(config, truth, [5, 60], 1, tmp_path / "out.json")
    result = json.loads((tmp_path / "out.json").read_text())
    assert {key: result[key] for key in ("dataset", "encoder", "weights", "strategy", "seeds")} == {
        "dataset": "test", "encoder": "squeezenet", "weights": "built-in", "strategy": "auto", "seeds": 1,
    }  # fmt: skip
    assert [point["labels"] for point in result["curve"]] == [5, 60]
    assert result["curve"][1]["accuracy_mean"] > 0.6 > result["curve"][0]["accuracy_mean"]
    assert not (tmp_path / "out" / "labels.db").exists()  # the task's own labels are not touched
    with pytest.raises(InputError, match="only 140 items"):
        simulate_and_report(config, truth, [150], 1, None)


def test_budgets() -> None:
    assert parse_budgets("40,20,40") == [20, 40]
    for text in ("", "a", "0,10", "-5"):
        with pytest.raises(InputError, match="--labels"):
            parse_budgets(text)
