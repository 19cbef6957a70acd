"""Items put in a row, similar ones side by side.

A tree of the items by average linkage, its branches turned so that the steps from each leaf to the next are
shortest (Bar-Joseph, Gifford and Jaakkola 2001, "Fast optimal leaf ordering for hierarchical clustering").
"""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

from lightbulb.records import Float32s, Ints

MOST_TURNED = 200  # items whose branches are turned: with more it would take longer than a page may


def similarity_order(points: Float32s) -> Ints:
    """Rows of `points`, float32 (n, dim), in the order of the tree's leaves: int64 (n,), a permutation."""
    if len(points) < 3:
        return np.arange(len(points), dtype=np.int64)
    tree = linkage(points, method="average", optimal_ordering=len(points) <= MOST_TURNED)
    return leaves_list(tree).astype(np.int64)
