"""Items that are nearly the same picture: copies saved again, resized, cropped at the edge.

Told by the cosine of their points (embeddings as the decoder sees them, centred on the pool). Measured
with the built-in and ImageNet's SqueezeNet on 400 photographs and 400 scanned digits: copies saved anew as
JPEG come out at .92 to 1.0, cropped by 5% or halved in size at .67 to .99; of different photographs the
most alike reach .71, of different digits, which hardly differ, .965 (2 pairs in 400 over .95).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lightbulb.records import Bools, Float32s, Ints

SIMILARITY = 0.95  # cosine from which on two items are taken for the same
AT_ONCE = 2048  # rows that are compared in one product


def unit_length(points: Float32s) -> Float32s:
    """float32 (n, dim), each row of length 1, or 0 where it was 0."""
    return (points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def near_any(points: Float32s, others: Float32s, similarity: float = SIMILARITY) -> Bools:
    """Which points (n, dim) are nearly the same as any of the others (m, dim), bool (n,)."""
    found = np.zeros(len(points), dtype=np.bool_)
    if not len(others):
        return found
    against = unit_length(others).T
    for start in range(0, len(points), AT_ONCE):
        alike = unit_length(points[start : start + AT_ONCE]) @ against
        found[start : start + AT_ONCE] = alike.max(axis=1) >= similarity
    return found


def duplicate_groups(points: Float32s, similarity: float = SIMILARITY) -> list[Ints]:
    """Groups of two or more rows that are nearly the same, each linked to one other at least.

    points: (n, dim). Memory for AT_ONCE x n similarities at a time; time grows with n squared.
    """
    units = unit_length(points)
    pairs = [np.empty((2, 0), dtype=np.int64)]
    for start in range(0, len(units), AT_ONCE):
        alike = units[start : start + AT_ONCE] @ units[start:].T
        first, second = np.nonzero(alike >= similarity)
        pairs.append(np.stack([first, second])[:, second > first] + start)
    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(first), dtype=np.bool_), (first, second)), shape=(len(units), len(units)))
    _, group = connected_components(graph, directed=False)
    return [np.flatnonzero(group == one) for one in np.flatnonzero(np.bincount(group, minlength=1) > 1)]


def conflicting(groups: Sequence[Ints], labels: Ints) -> list[Ints]:
    """The groups whose rows do not all have the same label. labels: int64 (n,)."""
    return [group for group in groups if len(np.unique(labels[group])) > 1]
