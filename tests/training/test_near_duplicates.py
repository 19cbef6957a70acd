from __future__ import annotations

import numpy as np
import pytest

from lightbulb.training import near_duplicates as module
from lightbulb.training.near_duplicates import conflicting, duplicate_groups, duplicate_labels, near_any


def directions(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_near_is_a_matter_of_direction_not_length() -> None:
    points = np.concatenate([7 * directions(0, 17), directions(19, 90)])
    assert near_any(points, directions(0)).tolist() == [True, True, False, False]  # cos 18.2° is .95
    assert near_any(points, np.empty((0, 2), np.float32)).tolist() == [False] * 4
    assert near_any(np.empty((0, 2), np.float32), directions(0)).tolist() == []


def test_groups_are_linked_through_their_neighbours() -> None:
    groups = duplicate_groups(directions(0, 100, 15, 30, 180, 104))
    assert sorted(group.tolist() for group in groups) == [[0, 2, 3], [1, 5]]


def test_nothing_alike_no_groups() -> None:
    assert duplicate_groups(directions(0, 90, 180)) == []
    assert duplicate_groups(np.zeros((3, 2), dtype=np.float32)) == []  # a blank is like nothing


def test_groups_do_not_depend_on_how_many_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
    whole = [group.tolist() for group in duplicate_groups(points, 0.9999)]
    assert len(whole) > 5
    monkeypatch.setattr(module, "AT_ONCE", 7)
    assert [group.tolist() for group in duplicate_groups(points, 0.9999)] == whole


def test_only_groups_with_different_labels_conflict() -> None:
    groups = [np.array([0, 1]), np.array([2, 3])]
    assert [group.tolist() for group in conflicting(groups, np.array([1, 1, 0, 1]))] == [[2, 3]]


def planted(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(2,000 points in 40 clouds, the last 200 of which are near copies of the first 200; which copy is of
    which)."""
    clouds = rng.normal(size=(40, 32))
    points = clouds[rng.integers(0, 40, 1800)] + rng.normal(size=(1800, 32))
    copies = points[:200] + 0.1 * rng.normal(size=(200, 32))
    return np.concatenate([points, copies]).astype(np.float32), np.arange(200)


def test_of_many_only_the_same_cells_are_compared_and_hardly_a_pair_is_missed() -> None:
    points, of = planted(np.random.default_rng(1))
    exact = duplicate_labels(lambda rows: points[rows], len(points), np.random.default_rng(0))
    cells = duplicate_labels(lambda rows: points[rows], len(points), np.random.default_rng(0), most_exact=500)
    assert (exact[1800:] == exact[of]).all()
    assert (cells[1800:] == cells[of]).mean() > 0.97
    together = cells[:, None] == cells[None, :]  # no two that are not alike
    assert (exact[:, None] == exact[None, :])[together].all()
