"""A scripted annotator: answers the real services' questions from a file of truths.

Each run splits the items, asks only about one part, and measures on the other, which is never asked,
never encoded into the pool and never seen by the learner. The learner works synchronously, a model
after every answer, as it does when a person answers more slowly than it trains.
"""

from __future__ import annotations

import json
import logging
import operator
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import structlog
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lightbulb.config import Config, StorageSection
from lightbulb.encoders import Encoder
from lightbulb.encoders.embed import encode_files
from lightbulb.errors import ConfigError, InputError
from lightbulb.files import write_atomically
from lightbulb.items.folder import key_below
from lightbulb.measuring import finish
from lightbulb.measuring.peers import peer_strategy
from lightbulb.records import Accuracy, Answer, Bools, Float16s, Ints
from lightbulb.services.assemble import Workspace, open_workspace
from lightbulb.services.encoder_handle import EncoderHandle
from lightbulb.services.plugins import FORMATS, TASKS, encoder_named
from lightbulb.store.embeddings import EmbeddingCache

R = TypeVar("R")

TEST_SHARE = 0.3


@dataclass(frozen=True)
class Point:
    """At one label count: accuracies of the runs on their test items, and what the runs proposed.

    shown: the accuracy that each run showed, measured on its held-out items; None where there was none yet.
    tuned: runs whose encoder was fine-tuned by then.
    """

    labels: int
    accuracies: tuple[float, ...]
    proposed: int
    proposed_right: int
    shown: tuple[Accuracy | None, ...] = (None,)
    tuned: int = 0


@dataclass(frozen=True)
class Truth:
    """Every item with a known answer. targets: class indices. embeddings: float16 (n, dim), aligned."""

    keys: tuple[str, ...]
    targets: Ints
    embeddings: Float16s

    def answers(self, classes: Sequence[str]) -> dict[str, str]:
        """The true class of every item by its key."""
        return {key: classes[target] for key, target in zip(self.keys, self.targets, strict=True)}


def parse_budgets(text: str) -> list[int]:
    """ "20,40" → [20, 40]. Raises: InputError."""
    try:
        budgets = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise InputError(f"--labels {text!r} is not a list of numbers such as 20,40,78") from None
    if budgets[0] < 1:
        raise InputError(f"--labels {text!r}: label counts start at 1")
    return budgets


def simulate_and_report(
    config: Config,
    truth_path: Path,
    budgets: Sequence[int],
    seeds: int,
    json_path: Path | None,
    *,
    strategies: Sequence[str] = (),
    every: int = 1,
    jobs: int = 1,
) -> dict[str, Any]:
    """Runs the simulation once for each strategy, prints a table, writes the JSON.

    every: questions that are asked at once; a model follows their answers.

    Raises: InputError, ConfigError.
    """
    encoder = EncoderHandle(encoder_named, config)
    truth = read_truth(config, truth_path, encoder)
    pool = len(truth.keys) - round(TEST_SHARE * len(truth.keys))
    if budgets[-1] > pool:
        raise InputError(f"--labels: {budgets[-1]} labels, but only {pool} items may be asked about")
    results = []
    for name in strategies or [config.learning.strategy]:
        mine = with_strategy(config, name)
        runs = in_parallel(simulate_run, [(mine, truth, budgets, seed, every) for seed in range(seeds)], jobs)
        points = [merge([run[index] for run in runs]) for index in range(len(budgets))]
        results.append(report(mine, encoder, seeds, points))
        show(results[-1])
    result = results[0] if len(results) == 1 else {**results[0], "strategies": results}
    if len(results) > 1:
        show_side_by_side(results)
    write_json(json_path, result)
    return result


def finish_and_report(
    config: Config, truth_path: Path, seeds: int, json_path: Path | None, *, jobs: int = 1
) -> dict[str, Any]:
    """Labels the whole dataset once for each seed, prints what it took, writes the JSON.

    Raises: InputError, ConfigError.
    """
    encoder = EncoderHandle(encoder_named, config)
    truth = read_truth(config, truth_path, encoder)
    runs = in_parallel(finish_run, [(config, truth, seed) for seed in range(seeds)], jobs)
    found = finish.report(runs, config.auto_label.confidence)
    result = {**describe(config, encoder, seeds), "finish": found}
    finish.show(config.name, found, config.auto_label.confidence)
    write_json(json_path, result)
    return result


def in_parallel(work: Callable[..., R], arguments: Sequence[tuple[Any, ...]], jobs: int) -> list[R]:
    """work(*arguments) for each, `jobs` at a time in processes of their own, with a progress bar."""
    task = delayed(quietly if jobs > 1 else operator.call)
    done = Parallel(n_jobs=jobs, return_as="generator")(task(work, *each) for each in arguments)
    console = Console(stderr=True)
    return list(track(done, "Simulating", total=len(arguments), console=console))


def quietly(work: Callable[..., R], *arguments: Any) -> R:
    """In another process, where nothing has set up the logging yet."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return work(*arguments)


def with_strategy(config: Config, name: str) -> Config:
    return config.model_copy(update={"learning": config.learning.model_copy(update={"strategy": name})})


def write_json(path: Path | None, result: Mapping[str, Any]) -> None:
    if path is not None:
        write_atomically(path, f"{json.dumps(result, indent=2)}\n".encode())


def read_truth(config: Config, path: Path, encoder: EncoderHandle) -> Truth:
    """Reads the truths and encodes all their items through the cache of the task."""
    task = TASKS[f"{config.dataset.data_type}/{config.label.type}"](config.classes)
    answers: dict[str, str] = {}
    for row in FORMATS["csv"]().read(path.read_text(encoding="utf-8-sig")):
        try:
            answers[key_below(row.path, config.dataset.directory)] = task.check_value(row.label)
        except InputError as error:
            raise InputError(f"{path}, {row.where}: {error.message}") from error
    keys = tuple(sorted(key for key in answers if (config.dataset.directory / key).is_file()))
    if not keys:
        raise ConfigError([f"none of the paths in {path} is a file in {config.dataset.directory}"])
    targets = np.array([config.classes.index(answers[key]) for key in keys], dtype=np.int64)
    readable, embeddings = encode_all(config, encoder.get(), keys)
    kept = tuple(key for key, good in zip(keys, readable, strict=True) if good)
    return Truth(kept, targets[readable], embeddings)


def encode_all(config: Config, encoder: Encoder, keys: Sequence[str]) -> tuple[Bools, Float16s]:
    """(which files can be read, the embeddings of these), through the cache of the config."""
    cache = EmbeddingCache(config.embeddings_directory, encoder.fingerprint, encoder.dim)
    files = [(index, config.dataset.directory / key) for index, key in enumerate(keys)]
    contents = [""] * len(keys)
    for chunk in encode_files(encoder, files, cached=cache.__contains__):
        cache.append(chunk.new, chunk.embeddings)
        for index, content in chunk.contents.items():
            contents[index] = content
    rows = cache.rows([content for content in contents if content])
    return np.array([content != "" for content in contents]), cache.read(rows)


def simulate_run(
    config: Config, truth: Truth, budgets: Sequence[int], seed: int, every: int = 1
) -> list[Point]:
    rng = np.random.default_rng(seed)
    test = np.zeros(len(truth.keys), dtype=np.bool_)
    test[rng.permutation(len(truth.keys))[: round(TEST_SHARE * len(truth.keys))]] = True
    pool = {key for key, is_test in zip(truth.keys, test, strict=True) if not is_test}
    answers = truth.answers(config.classes)
    with own_workspace(config, seed, pool) as workspace:
        points = []
        for budget in budgets:
            answer_until(workspace, answers, budget, every)
            points.append(measure(workspace, truth, test, budget, answers))
        return points


def finish_run(config: Config, truth: Truth, seed: int) -> finish.FinishedRun:
    answers = truth.answers(config.classes)
    with own_workspace(config, seed, set(truth.keys)) as workspace:
        return finish.ScriptedAnnotator(workspace, answers).label_everything()


@contextmanager
def own_workspace(config: Config, seed: int, pool: Set[str]) -> Iterator[Workspace]:
    """A workspace on these items with an empty database of its own, everything encoded."""
    strategy = peer_strategy(config.learning.strategy)
    with tempfile.TemporaryDirectory(prefix="lightbulb-simulate-") as folder:
        own = run_config(config, Path(folder), seed)
        workspace = open_workspace(own, only=pool.__contains__, strategy=strategy)
        try:
            while workspace.learner.encode_step():
                pass
            yield workspace
        finally:
            workspace.database.close()


def run_config(config: Config, folder: Path, seed: int) -> Config:
    """The same task with a database and models of its own, and the task's embeddings.

    Fine-tuning makes embeddings that no other run can use: then they are its own as well.
    """
    shared = None if config.model.fine_tune else config.embeddings_directory
    return config.model_copy(
        update={
            "dataset": config.dataset.model_copy(update={"judgements_file": folder / "labels.csv"}),
            "model": config.model.model_copy(update={"directory": folder / "models", "keep": 1}),
            "learning": config.learning.model_copy(update={"seed": seed}),
            "storage": StorageSection(
                database=str(folder / "labels.db"), embeddings=shared or folder / "embeddings"
            ),
        }
    )


def answer_until(workspace: Workspace, answers: Mapping[str, str], budget: int, every: int) -> None:
    """Answers `every` questions at a time until `budget` items are labelled; a model after each time."""
    while (missing := budget - int(workspace.catalog.view.labelled.sum())) > 0:
        questions, _ = workspace.asking.next_questions(min(every, missing))
        if not questions:
            raise InputError(f"no more questions after {int(workspace.catalog.view.labelled.sum())} labels")
        workspace.labeling.save([Answer(one.item, answers[one.key]) for one in questions])
        while workspace.learner.step():
            pass


def measure(
    workspace: Workspace, truth: Truth, test: Bools, budget: int, answers: Mapping[str, str]
) -> Point:
    """Before the first model a guess is all there is: the accuracy of the most frequent class."""
    targets = truth.targets[test]
    if workspace.learner.snapshot is None:
        return Point(budget, (float(np.bincount(targets).max() / len(targets)),), 0, 0)
    embeddings, tuned = test_embeddings(workspace, truth, test)
    scores = workspace.learner.snapshot.classifier.probabilities(embeddings.astype(np.float32))
    accuracy = float((scores.argmax(axis=1) == targets).mean())
    shown = (workspace.learner.snapshot.accuracy,)
    proposals = workspace.confirming.proposals()
    if proposals is None or not len(proposals.item_ids):
        return Point(budget, (accuracy,), 0, 0, shown, int(tuned))
    view = workspace.catalog.view
    keys = [view.keys[at] for at in view.positions(proposals.item_ids)]
    right = sum(
        answers[key] == workspace.task.classes[label]
        for key, label in zip(keys, proposals.labels, strict=True)
    )
    return Point(budget, (accuracy,), len(keys), right, shown, int(tuned))


def test_embeddings(workspace: Workspace, truth: Truth, test: Bools) -> tuple[Float16s, bool]:
    """(embeddings of the test items as the present model wants them, whether its encoder was fine-tuned)."""
    assert workspace.learner.snapshot is not None
    encoder = workspace.learner.encoder_of(workspace.learner.snapshot)
    if encoder.fingerprint == workspace.encoder.get().fingerprint:
        return truth.embeddings[test], False
    keys = [key for key, is_test in zip(truth.keys, test, strict=True) if is_test]
    return encode_all(workspace.config, encoder, keys)[1], True


def merge(points: Sequence[Point]) -> Point:
    return Point(
        points[0].labels,
        tuple(accuracy for point in points for accuracy in point.accuracies),
        sum(point.proposed for point in points),
        sum(point.proposed_right for point in points),
        tuple(shown for point in points for shown in point.shown),
        sum(point.tuned for point in points),
    )


def describe(config: Config, encoder: EncoderHandle, seeds: int) -> dict[str, Any]:
    return {
        "dataset": config.name,
        "encoder": encoder.name,
        "weights": encoder.get().weights_name,
        "strategy": config.learning.strategy,
        "fine_tune": config.model.fine_tune,
        "seeds": seeds,
    }


def report(config: Config, encoder: EncoderHandle, seeds: int, points: Sequence[Point]) -> dict[str, Any]:
    return {
        **describe(config, encoder, seeds),
        "curve": [
            {
                "labels": point.labels,
                "accuracy_mean": round(float(np.mean(point.accuracies)), 4),
                "accuracy_std": round(float(np.std(point.accuracies)), 4),
                "proposed_mean": round(point.proposed / seeds, 1),
                "proposed_right": round(point.proposed_right / point.proposed, 4) if point.proposed else None,
                "tuned_runs": point.tuned,
                **honesty(point),
            }
            for point in points
        ],
    }


def honesty(point: Point) -> dict[str, float | None]:
    """How far the accuracy that was shown is off, on average, and how often its interval held the truth."""
    pairs = [(shown, true) for shown, true in zip(point.shown, point.accuracies, strict=True) if shown]
    if not pairs:
        return {"shown_off_mean": None, "shown_covers": None}
    return {
        "shown_off_mean": round(float(np.mean([shown.value - true for shown, true in pairs])), 4),
        "shown_covers": round(float(np.mean([shown.low <= true <= shown.high for shown, true in pairs])), 3),
    }


def show(result: Mapping[str, Any]) -> None:
    table = Table(
        title=f"{result['dataset']}: {result['encoder']} ({result['weights']}), {result['strategy']}, "
        f"{result['seeds']} runs"
    )
    headings = ["labels", "accuracy", "± between runs", "proposed", "of these right"]
    for heading in [*headings, "fine-tuned runs"] if result["fine_tune"] else headings:
        table.add_column(heading, justify="right")
    for row in result["curve"]:
        right = "–" if row["proposed_right"] is None else f"{row['proposed_right']:.3f}"
        table.add_row(
            str(row["labels"]), f"{row['accuracy_mean']:.3f}", f"{row['accuracy_std']:.3f}",
            f"{row['proposed_mean']:.0f}", right, *([str(row["tuned_runs"])] if result["fine_tune"] else []),
        )  # fmt: skip
    Console().print(table)


def show_side_by_side(results: Sequence[Mapping[str, Any]]) -> None:
    first = results[0]
    table = Table(
        title=f"{first['dataset']}: {first['encoder']} ({first['weights']}), {first['seeds']} runs each"
    )
    table.add_column("strategy")
    for row in first["curve"]:
        table.add_column(f"{row['labels']} labels", justify="right")
    for result in results:
        table.add_row(result["strategy"], *(f"{row['accuracy_mean']:.3f}" for row in result["curve"]))
    Console().print(table)
