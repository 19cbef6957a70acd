from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lightbulb.cli import main
from lightbulb.config import Config
from lightbulb.errors import InputError
from lightbulb.measuring.finish import AcceptedSet, FinishedRun, broken
from lightbulb.measuring.finish import report as report_finish
from lightbulb.measuring.peers import PEERS, PREFIX, check_strategy
from lightbulb.measuring.simulate import finish_and_report, parse_budgets, simulate_and_report
from lightbulb.pretraining import fine_tune
from lightbulb.services import tuning
from lightbulb.training.compare import Comparison
from serving import write_config
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


def test_fine_tuning_is_measured_with_the_encoder_that_serves(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FEWEST_LABELS", 25), ("FEWEST_HELD_OUT", 5), ("FEWEST_OF_A_CLASS", 2)):
        monkeypatch.setattr(tuning, name, value)
    monkeypatch.setattr(fine_tune, "FEWEST_STEPS", 3)
    monkeypatch.setattr(fine_tune, "EPOCHS", 1)
    better = Comparison(0.1, 0.001, 0.1, 0.8, 0.9, 20)
    monkeypatch.setattr(tuning, "compare_encoders", lambda *arguments: better)
    _, truth = small_task(digits, tmp_path, 160)
    path = write_config(tmp_path / "task.yml", tmp_path / "pool")
    options = ["--config", str(path), "--truth", str(truth), "--labels", "20,60", "--seeds", "1"]
    done = CliRunner().invoke(
        main, ["simulate", *options, "--every", "5", "--fine-tune", "--json", str(tmp_path / "out.json")]
    )
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["fine_tune"] and [point["tuned_runs"] for point in found["curve"]] == [0, 1]
    assert found["curve"][1]["accuracy_mean"] > 0.6 and found["curve"][1]["shown_covers"] in (0.0, 1.0)
    folders = [one.name for one in (tmp_path / "out" / "embeddings").iterdir()]
    assert len(folders) == 1, "what a run has tuned leaves nothing behind"
    refused = CliRunner().invoke(
        main, ["simulate", "--config", str(path_of_resnet(path)), *options[2:], "--fine-tune"]
    )
    assert refused.exit_code == 2 and "model.fine_tune" in refused.stderr


def path_of_resnet(path: Path) -> Path:
    other = path.with_name("resnet.yml")
    other.write_text(path.read_text().replace("model:\n", "model:\n  encoder: resnet18\n"))
    return other


def test_budgets() -> None:
    assert parse_budgets("40,20,40") == [20, 40]
    for text in ("", "a", "0,10", "-5"):
        with pytest.raises(InputError, match="--labels"):
            parse_budgets(text)


def small_task(digits: Path, tmp_path: Path, count: int) -> tuple[Config, Path]:
    copy_digits(digits / "digits", tmp_path / "pool", count)
    truth = tmp_path / "truth.csv"
    rows = (digits / "digits.truth.csv").read_text().splitlines()
    truth.write_text("\n".join(rows[: count + 1]) + "\n")
    return config_for(tmp_path, tmp_path / "pool"), truth


def test_finish_labels_everything_and_counts_what_it_took(digits: Path, tmp_path: Path) -> None:
    config, truth = small_task(digits, tmp_path, 250)
    finish_and_report(config, truth, 1, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())["finish"]
    assert found["items"] == 250
    assert sum(row["labels"] for row in found["by_source"].values()) == 250
    assert found["by_source"]["human"]["wrong_fraction"] == 0  # the annotator never errs
    assert found["by_source"]["confirmed"]["wrong_fraction"] == 0
    assert found["by_source"]["human"]["labels"] < found["actions"] < 250
    assert found["certificates"].keys() == {"issued", "broken", "runs_with_a_broken_one"}
    assert set(found["unlooked"]) == {"certificate", "softmax", "temperature"}


def test_what_counts_as_broken() -> None:
    assert not broken(AcceptedSet("certificate", 100, 3), 0.97)
    assert broken(AcceptedSet("certificate", 100, 4), 0.97)
    assert broken(AcceptedSet("certificate", 20, 1), 0.97)
    runs = [FinishedRun(items=5, actions=3), FinishedRun(items=5, actions=5)]
    for run in runs:
        run.labels["human"] = 5
    runs[1].accepted.append(AcceptedSet("certificate", 100, 4))
    found = report_finish(runs, 0.97)
    assert (found["actions"], found["actions_most"]) == (4.0, 5)
    assert found["certificates"] == {"issued": 1, "broken": 1, "runs_with_a_broken_one": 1}


def test_strategies_side_by_side(digits: Path, tmp_path: Path) -> None:
    config, truth = small_task(digits, tmp_path, 120)
    names = ("random", "entropy")
    simulate_and_report(config, truth, [30], 1, tmp_path / "out.json", strategies=names, every=10)
    result = json.loads((tmp_path / "out.json").read_text())
    assert [one["strategy"] for one in result["strategies"]] == list(names)


@pytest.mark.parametrize("peer", PEERS)
def test_scikit_activemls_strategies_can_be_measured_too(peer: str, digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("skactiveml", reason="scikit-activeml is not installed")
    config, truth = small_task(digits, tmp_path, 60)
    name = f"{PREFIX}{peer}"
    check_strategy(name)
    result = simulate_and_report(config, truth, [20], 1, None, strategies=(name,), every=4)
    assert result["strategy"] == name and result["curve"][0]["accuracy_mean"] > 0.1


def test_unknown_strategies_are_named() -> None:
    with pytest.raises(InputError, match='did you mean "entropy"'):
        check_strategy("entropie")
