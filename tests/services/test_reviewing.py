"""What Review is given at once: on real digits with a real model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from lightbulb.services.assemble import Workspace
from support import answer, config_for, copy_digits, learn, opened


@pytest.fixture(scope="module")
def sure(
    digits: Path, truth: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    """A workspace whose model proposes labels. Shared: nothing is answered in it."""
    folder = tmp_path_factory.mktemp("reviewing")
    directory = copy_digits(digits / "digits", folder / "pool", 200)
    with opened(config_for(folder, directory, auto_label={"confidence": 0.6, "batch_size": 20})) as found:
        learn(found)
        answer(found, truth, 60)
        learn(found)
        yield found


def test_the_places_put_similar_items_side_by_side(sure: Workspace) -> None:
    review = sure.reviewing.next()
    assert review.batch is not None and review.audit is not None
    n = len(review.batch.items)
    assert n > 5 and sorted(review.similar) == list(range(n))
    points = sure.encoded.points(sure.encoded.rows(np.array(review.batch.items)))
    by_place = points[np.argsort(review.similar)]

    def way(row: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(row, axis=0), axis=1).sum())

    assert way(by_place) < 0.95 * way(points)


def test_what_is_not_encoded_comes_last(sure: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    review = sure.reviewing.next()
    assert review.batch is not None
    rows = sure.encoded.rows
    unknown = set(review.batch.items[:2])

    def without_two(items: np.ndarray) -> np.ndarray:
        return np.where(np.isin(items, list(unknown)), -1, rows(items))

    monkeypatch.setattr(sure.encoded, "rows", without_two)
    again = sure.reviewing.next()
    assert again.batch == review.batch
    assert again.similar[:2] == (len(again.similar) - 2, len(again.similar) - 1)


def test_each_class_can_be_reviewed(sure: Workspace) -> None:
    for label, count in sure.confirming.counts().items():
        review = sure.reviewing.next(client=f"of {label}", label=label)
        assert (review.batch is None) == (count == 0)
        if review.batch is not None:
            assert review.batch.label == label and review.batch.candidates == count
