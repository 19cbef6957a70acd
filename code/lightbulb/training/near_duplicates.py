"""Items that are nearly the same picture: copies saved again, resized, cropped at the edge.

Told by the cosine of their points (embeddings as the decoder sees them, centred on the pool). Measured
with the built-in and ImageNet's SqueezeNet on 400 photographs and 400 scanned digits: copies saved anew as
JPEG come out at .92 to 1.0, cropped by 5% or halved in size at .67 to .99; of different photographs the
most alike reach .71, of different digits, which hardly differ, .965 (2 pairs in 400 over .95).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lightbulb.records import Bools, Float32s, Ints

SIMILARITY = 0.95  # cosine from which on two items are taken for the same
AT_ONCE = 2048  # rows that are compared in one product
MOST_EXACT = 20_000  # rows that are compared each with each
ROUNDS = 3


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
    group = _linked(len(points), *_alike_pairs(unit_length(points), similarity))
    return [np.flatnonzero(group == one) for one in np.flatnonzero(np.bincount(group, minlength=1) > 1)]


def duplicate_labels(
    read: Callable[[Ints], Float32s],
    n: int,
    rng: np.random.Generator,
    *,
    similarity: float = SIMILARITY,
    most_exact: int = MOST_EXACT,
    pause: Callable[[], None] = lambda: None,
) -> Ints:
    """Which group each of n rows belongs to, int64 (n,): rows that are nearly the same share a number.

    read: points of some rows, (k, dim). Up to `most_exact` rows are compared each with each. Of more, only
    those with the same nearest pivot are, in ROUNDS rounds with other pivots drawn at random: time grows
    with n to the power of 3/2, and a pair is missed only if a border lies between the two every time.
    pause: called between two pieces of work.
    """
    if n <= most_exact:
        return _linked(n, *_alike_pairs(unit_length(read(np.arange(n))), similarity))
    firsts, seconds = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for _ in range(ROUNDS):
        cell = _nearest_pivots(read, n, rng, pause)
        by_cell = np.argsort(cell, kind="stable")
        for members in np.split(by_cell, np.flatnonzero(np.diff(cell[by_cell])) + 1):
            first, second = _alike_pairs(unit_length(read(np.sort(members))), similarity)
            firsts.append(np.sort(members)[first])
            seconds.append(np.sort(members)[second])
            pause()
    return _linked(n, np.concatenate(firsts), np.concatenate(seconds))


def _nearest_pivots(
    read: Callable[[Ints], Float32s], n: int, rng: np.random.Generator, pause: Callable[[], None]
) -> Ints:
    """Of each row the pivot it is nearest to, int64 (n,); pivots are about the root of n rows."""
    pivots = unit_length(read(np.sort(rng.choice(n, int(np.sqrt(n)), replace=False)))).T
    cell = np.empty(n, dtype=np.int64)
    for start in range(0, n, AT_ONCE):
        rows = np.arange(start, min(n, start + AT_ONCE))
        cell[rows] = (unit_length(read(rows)) @ pivots).argmax(axis=1)
        pause()
    return cell


def _alike_pairs(units: Float32s, similarity: float) -> tuple[Ints, Ints]:
    """(first, second) rows of the pairs that are alike, first < second. units: (n, dim) of length 1."""
    firsts, seconds = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for start in range(0, len(units), AT_ONCE):
        alike = units[start : start + AT_ONCE] @ units[start:].T >= similarity
        first, second = np.nonzero(np.triu(alike, 1))
        firsts.append(first + start)
        seconds.append(second + start)
    return np.concatenate(firsts), np.concatenate(seconds)


def _linked(n: int, first: Ints, second: Ints) -> Ints:
    """Connected components of n rows, int64 (n,)."""
    graph = coo_array((np.ones(len(first), dtype=np.bool_), (first, second)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def conflicting(groups: Sequence[Ints], labels: Ints) -> list[Ints]:
    """The groups whose rows do not all have the same label. labels: int64 (n,)."""
    return [group for group in groups if len(np.unique(labels[group])) > 1]
