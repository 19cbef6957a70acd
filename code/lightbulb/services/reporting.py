"""What there is to know about a task at one moment."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from lightbulb.records import Accuracy, Measured
from lightbulb.services.assemble import Workspace
from lightbulb.services.catalog import CatalogView
from lightbulb.services.learner import LearnerStatus, Needed
from lightbulb.services.outlook import Outlook
from lightbulb.services.upholding import Lapsed


@dataclass(frozen=True)
class ModelStatus:
    """labels: that were given when it was trained. seconds_ago: since it was published."""

    version: int
    labels: int
    seconds_ago: float


@dataclass(frozen=True)
class Status:
    """Counts are of items; classes and proposed count labels and proposals by class.

    imported: of the items that the accuracy was measured on, those whose label came from a file that does
    not say how it was given. pinned: the version that a person chose to serve. lapsed: acceptances whose
    certificate does not hold any more.
    """

    total: int
    labelled: int
    unlabelled: int
    proposed: int
    broken: int
    skipped: int
    flagged: int
    accuracy: Accuracy | None
    imported: int
    learner: LearnerStatus
    needed: Needed | None
    model: ModelStatus | None
    pinned: int | None
    seconds_per_label: float | None
    outlook: Outlook
    labels_by_class: dict[str, int]
    proposals_by_class: dict[str, int]
    lapsed: tuple[Lapsed, ...]
    banners: tuple[tuple[str, str], ...]


def status(workspace: Workspace) -> Status:
    view, snapshot = workspace.catalog.view, workspace.learner.snapshot
    classes = workspace.task.classes
    counts = np.bincount(view.labels[view.labelled], minlength=len(classes))
    proposals = workspace.confirming.counts()
    labelled = int(view.labelled.sum())
    return Status(
        total=len(view.ids),
        labelled=labelled,
        unlabelled=int(view.askable.sum()),
        proposed=sum(proposals.values()),
        broken=int(view.broken.sum()),
        skipped=int(view.skipped.sum()),
        flagged=len(workspace.flagging.items()),
        accuracy=snapshot.accuracy if snapshot else None,
        imported=_imported(view, snapshot.measured) if snapshot and snapshot.measured else 0,
        learner=workspace.learner.status(),
        needed=workspace.learner.needed() if workspace.train and snapshot is None else None,
        model=ModelStatus(snapshot.version, snapshot.labels, time.time() - snapshot.published_at)
        if snapshot
        else None,
        pinned=workspace.serving.pinned,
        seconds_per_label=workspace.labels.pace(),
        outlook=workspace.outlooks.now(),
        labels_by_class={name: int(count) for name, count in zip(classes, counts, strict=True)},
        proposals_by_class=proposals,
        lapsed=workspace.upholding.lapsed(),
        banners=tuple(_banners(workspace)),
    )


def _imported(view: CatalogView, measured: Measured) -> int:
    at = view.positions(measured.items)
    return int(view.imported[at[at >= 0]].sum())


def _banners(workspace: Workspace) -> list[tuple[str, str]]:
    view = workspace.catalog.view
    banners: list[tuple[str, str]] = []
    if workspace.learner.banner:
        banners.append(("warning", workspace.learner.banner))
    if workspace.serving.problem:
        banners.append(("error", workspace.serving.problem))
    pinned, snapshot = workspace.serving.pinned, workspace.learner.snapshot
    if pinned is not None:
        ready = snapshot is not None and snapshot.version == pinned
        said = "serves, because it was chosen" if ready else "was chosen to serve, and is not ready yet,"
        banners.append(
            ("warning", f"Model {pinned} {said} on the Model page. "
                "Answers are kept, but nothing is learnt from them until the newest is followed again.")
        )  # fmt: skip
    if snapshot is not None and workspace.learner.unscored_by_former():
        banners.append(
            ("warning", f"Model {snapshot.version} was made with another encoder, which has not seen all: "
                "/score answers, but the other images have no guess and no proposal until they are encoded.")
        )  # fmt: skip
    for lapsed in workspace.upholding.lapsed():
        labels = "1 label" if lapsed.labels == 1 else f"{lapsed.labels} labels"
        banners.append(
            ("warning", f"{labels} “{lapsed.label}”, accepted without a look: the checks that this rests on "
                "no longer bear it out. Review says why, and what can be done.")
        )  # fmt: skip
    broken = int(view.broken.sum())
    if broken:
        files = "1 file" if broken == 1 else f"{broken} files"
        banners.append(
            ("warning", f"{files} cannot be used; the Dataset page gives the reasons under Broken.")
        )
    if orphans := int(view.orphaned.sum()):
        banners.append(
            ("warning", f"{orphans} labels are of classes that label.classes no longer lists; "
                "their items are asked again.")
        )  # fmt: skip
    if workspace.judgements.error:
        banners.append(("error", f"Labels are safe in the database, but {workspace.judgements.error}"))
    return banners
