from __future__ import annotations

import numpy as np
import pytest

from lightbulb.autolabel.arrange import MOST_TURNED, similarity_order


def test_points_on_a_line_come_in_their_order() -> None:
    """However they are dealt: by optimal leaf ordering, from one end or the other."""
    places = np.random.default_rng(1).permutation(40)
    order = similarity_order(places[:, None].astype(np.float32) * np.ones((1, 5), dtype=np.float32))
    along = places[order]
    assert along.tolist() in (list(range(40)), list(range(39, -1, -1)))


def test_groups_are_not_torn_apart() -> None:
    rng = np.random.default_rng(2)
    group = rng.integers(0, 4, size=100)
    centres = 10 * rng.normal(size=(4, 8))
    order = similarity_order((centres[group] + rng.normal(size=(100, 8))).astype(np.float32))
    changes = int((np.diff(group[order]) != 0).sum())
    assert changes == 3


@pytest.mark.parametrize("n", [0, 1, 2, 3, MOST_TURNED + 1])
def test_every_row_comes_once(n: int) -> None:
    points = np.random.default_rng(n).normal(size=(n, 4)).astype(np.float32)
    assert sorted(similarity_order(points).tolist()) == list(range(n))
