"""Teaching a decoder with its own surest answers, while there are few labels.

After Lee 2013, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural
Networks": what a decoder is surest of is labelled as it says, and it is fitted anew with that beside what
people said. It then knows how its classes look in the pool, not only in the few items that were asked about.
The surest are chosen class by class, or else the easiest class would crowd out the others.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from lightbulb.autolabel.calibrate import probabilities
from lightbulb.decoders import Decoder
from lightbulb.decoders.normalise import PoolStatistics
from lightbulb.records import Float32s, Ints

SURE = 0.4  # of the items that are called a class, what share to believe
FEW = 300  # labels above which a second fit no longer pays
SAMPLE = 1000  # unlabelled items that are enough to choose from

D = TypeVar("D", bound=Decoder)


def self_taught(
    decoder: D,
    embeddings: Float32s,
    targets: Ints,
    unlabelled: Float32s,
    n_classes: int,
    pool: PoolStatistics,
    rng: np.random.Generator,
) -> D:
    """The decoder fitted anew to what it was fitted to (n, dim), (n,), and to the surest of (m, dim)."""
    rows, called = surest(probabilities(decoder.logits(unlabelled), 1.0))
    both = np.concatenate([embeddings, unlabelled[rows]])
    return type(decoder).fit(both, np.concatenate([targets, called]), n_classes, pool, rng)


def surest(probs: Float32s, share: float = SURE) -> tuple[Ints, Ints]:
    """Of each predicted class this share of its rows, the most probable, at least one: rows and classes.

    probs: (n, n_classes). Returns int64 (k,), (k,).
    """
    called = probs.argmax(axis=1)
    order = np.lexsort((-probs.max(axis=1), called))
    counts = np.bincount(called, minlength=probs.shape[1])
    rank = np.arange(len(called)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[rank < np.maximum(counts * share, 1)[called[order]]]
    return rows.astype(np.int64), called[rows].astype(np.int64)
