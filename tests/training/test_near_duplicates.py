from __future__ import annotations

import numpy as np
import pytest

from lightbulb.training import near_duplicates as module
from lightbulb.training.near_duplicates import conflicting, duplicate_groups, near_any


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
