"""A scripted annotator that labels a whole pool: questions, batches, and accepting what is certified.

It does as a person would: answers the questions the page has fetched, and when enough proposals wait,
reviews them. A key press or a click is one action; a batch with j rejected items is 1 + j; accepting a
certified rest is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import softmax

from lightbulb.errors import InputError
from lightbulb.records import Answer, Batch, Source
from lightbulb.services.assemble import Workspace

FETCHED = 10  # questions that the page holds; the model learns from their answers together
ENOUGH = 10  # proposals of a class for which a person turns to Review
MOMENTS = (40, 78, 150)  # labels by people at which the rules without a certificate are tried
RULES = ("softmax", "temperature")


@dataclass(frozen=True)
class AcceptedSet:
    """Labels taken over without a look. rule: "certificate", or that of RULES it was tried with."""

    rule: str
    size: int
    wrong: int

    @property
    def error(self) -> float:
        return self.wrong / self.size


@dataclass
class FinishedRun:
    """labels, wrong: by source, when everything was labelled."""

    items: int = 0
    actions: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    accepted: list[AcceptedSet] = field(default_factory=list)


class ScriptedAnnotator:
    """answers: the true class of every item by its key."""

    def __init__(self, workspace: Workspace, answers: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._answers = answers
        self._moments = list(MOMENTS)
        self.run = FinishedRun()

    def label_everything(self) -> FinishedRun:
        workspace = self._workspace
        while workspace.catalog.view.askable.any():
            while workspace.learner.step():
                pass
            self._try_rules()
            batch = workspace.confirming.next_batch() if self._enough_proposals() else None
            if batch is not None:
                self._review(batch)
            else:
                self._answer_questions()
        self._count()
        return self.run

    def _answer_questions(self) -> None:
        questions, _ = self._workspace.asking.next_questions(FETCHED)
        if not questions:
            raise InputError("no more questions, but not everything is labelled")
        self._workspace.labeling.save([Answer(one.item, self._answers[one.key]) for one in questions])
        self.run.actions += len(questions)

    def _enough_proposals(self) -> bool:
        most = max(self._workspace.confirming.counts().values())
        left = int(self._workspace.catalog.view.askable.sum())
        return most >= ENOUGH or (most >= 2 and most >= left / 20)

    def _review(self, batch: Batch) -> None:
        confirming = self._workspace.confirming
        truth = {item: self._answers[key] for item, key in zip(batch.items, batch.keys, strict=True)}
        rejected = {item: name for item, name in truth.items() if name != batch.label}
        done = confirming.answer(batch.id, rejected)
        self.run.actions += 1 + len(rejected)
        if done.audit.certified:
            action, size = confirming.accept_rest(batch.id)
            self.run.actions += 1
            keys = [key for key, label in self._workspace.labels.export_rows() if label.action == action]
            wrong = sum(self._answers[key] != batch.label for key in keys)
            self.run.accepted.append(AcceptedSet("certificate", size, wrong))

    def _try_rules(self) -> None:
        """What a bare threshold would take over now, and how much of that is wrong."""
        workspace, snapshot = self._workspace, self._workspace.learner.snapshot
        view = workspace.catalog.view
        if snapshot is None or not self._moments or int(view.labelled.sum()) < self._moments[0]:
            return
        while self._moments and int(view.labelled.sum()) >= self._moments[0]:
            self._moments.pop(0)
        at = view.positions(snapshot.item_ids)
        open_items = view.askable[at]
        truth = np.array([workspace.task.classes.index(self._answers[view.keys[one]]) for one in at])
        calibrated = snapshot.probs[open_items].astype(np.float64)
        plain = softmax(np.log(np.maximum(calibrated, 1e-30)) * snapshot.temperature, axis=1)
        for rule, probs in zip(RULES, (plain, calibrated), strict=True):
            sure = probs.max(axis=1) >= workspace.config.auto_label.confidence
            wrong = probs[sure].argmax(axis=1) != truth[open_items][sure]
            if sure.any():
                self.run.accepted.append(AcceptedSet(rule, int(sure.sum()), int(wrong.sum())))

    def _count(self) -> None:
        for key, label in self._workspace.labels.export_rows():
            self.run.items += 1
            self.run.labels[label.source] += 1
            self.run.wrong[label.source] += label.value != self._answers[key]


def report(runs: Sequence[FinishedRun], confidence: float) -> dict[str, Any]:
    """The JSON of `simulate --finish`; fractions are over all runs together."""
    labels: Counter[str] = sum((run.labels for run in runs), Counter())
    wrong: Counter[str] = sum((run.wrong for run in runs), Counter())
    actions = [run.actions for run in runs]
    rules = {rule: summary([one for run in runs for one in run.accepted if one.rule == rule], confidence)
             for rule in ("certificate", *RULES)}  # fmt: skip
    return {
        "runs": len(runs),
        "items": runs[0].items,
        "actions": round(float(np.mean(actions)), 1),
        "actions_most": max(actions),
        "wrong_fraction": round(wrong.total() / labels.total(), 5),
        "wrong_fraction_most": round(max(run.wrong.total() / run.items for run in runs), 5),
        "by_source": {
            str(source): {
                "labels": round(labels[source] / len(runs), 1),
                "wrong_fraction": round(wrong[source] / labels[source], 5),
            }
            for source in Source
            if labels[source]
        },
        "certificates": {
            "issued": rules["certificate"]["sets"],
            "broken": rules["certificate"]["over"],
            "runs_with_a_broken_one": sum(has_broken(run, confidence) for run in runs),
        },
        "unlooked": rules,
    }


def has_broken(run: FinishedRun, confidence: float) -> bool:
    return any(one.rule == "certificate" and broken(one, confidence) for one in run.accepted)


def broken(one: AcceptedSet, confidence: float) -> bool:
    """Whether more than a share 1 - confidence is wrong."""
    return one.wrong > (1 - confidence) * one.size + 1e-9


def summary(sets: Sequence[AcceptedSet], confidence: float) -> dict[str, Any]:
    """over: how many sets hold more wrong labels than the confidence allows."""
    return {
        "sets": len(sets),
        "mean_size": round(float(np.mean([one.size for one in sets])), 1) if sets else None,
        "mean_error": round(float(np.mean([one.error for one in sets])), 5) if sets else None,
        "worst_error": round(max(one.error for one in sets), 5) if sets else None,
        "over": sum(broken(one, confidence) for one in sets),
    }


def show(name: str, found: Mapping[str, Any], confidence: float) -> None:
    console = Console()
    console.print(
        f"{name}, {found['runs']} runs: {found['items']} items in {found['actions']} actions (at most "
        f"{found['actions_most']}), {found['wrong_fraction']:.2%} wrong (at most "
        f"{found['wrong_fraction_most']:.2%})"
    )
    table = Table(title="Labels by source")
    for heading in ("source", "labels", "wrong"):
        table.add_column(heading, justify="right")
    for source, row in found["by_source"].items():
        table.add_row(source, f"{row['labels']:.0f}", f"{row['wrong_fraction']:.2%}")
    console.print(table)
    table = Table(title=f"Sets taken over without a look; at most {1 - confidence:.0%} may be wrong")
    for heading in ("rule", "sets", "items", "mean error", "worst", "over the limit"):
        table.add_column(heading, justify="right")
    for rule, row in found["unlooked"].items():
        if row["sets"]:
            table.add_row(
                rule, str(row["sets"]), f"{row['mean_size']:.0f}", f"{row['mean_error']:.2%}",
                f"{row['worst_error']:.2%}", f"{row['over']} ({row['over'] / row['sets']:.1%})",
            )  # fmt: skip
    console.print(table)
