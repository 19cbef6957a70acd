"""Which labels look wrong, by predictions that did not learn from them: neither the decoder nor the encoder.

An encoder that was tuned on a wrong label puts the item where that label belongs, and nobody would doubt it
any more. So where the encoder was tuned on a label, the embeddings of the untuned one are asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightbulb.decoders import Decoder
from lightbulb.records import Float32s, Ints, Suspect
from lightbulb.services.catalog import CatalogView
from lightbulb.services.encoded import EncodedPool
from lightbulb.training.fit import fit_classifier
from lightbulb.training.suspects import find_suspects


def suspects_among(
    view: CatalogView,
    pool: EncodedPool,
    taught: Ints,
    out_of_fold: Float32s,
    decoder: type[Decoder],
    classes: Sequence[str],
    seed: int,
) -> tuple[Suspect, ...]:
    """The worst first. taught: ids of what the model was fitted to. out_of_fold: of these, (n, n_classes)."""
    unseen = pool.unseen(taught)
    found = _doubted(view, taught[unseen], out_of_fold[unseen], classes)
    if pool.untuned is not None and not unseen.all():
        seen = set(taught[~unseen].tolist())
        by_untuned = _by_untuned(view, pool.untuned, decoder, classes, seed)
        found = sorted([*found, *(one for one in by_untuned if one.item in seen)], key=lambda one: -one.score)
    return tuple(found)


def _by_untuned(
    view: CatalogView, untuned: EncodedPool, decoder: type[Decoder], classes: Sequence[str], seed: int
) -> list[Suspect]:
    """Suspects as they would be without fine-tuning."""
    teaching = untuned.teaching(view)
    train = untuned.labelled(view, teaching)
    if len(np.unique(train.targets)) < 2:
        return []
    fitted = fit_classifier(
        decoder, train, untuned.labelled(view, untuned.measured(view)), lambda: train.embeddings[:0],
        len(classes), untuned.statistics(), np.random.default_rng(seed),
    )  # fmt: skip
    return _doubted(view, view.ids[teaching], fitted.out_of_fold, classes)


def _doubted(view: CatalogView, items: Ints, out_of_fold: Float32s, classes: Sequence[str]) -> list[Suspect]:
    known = np.isfinite(out_of_fold).all(axis=1)
    items, targets = items[known], view.labels[view.positions(items[known])]
    found = find_suspects(out_of_fold[known], targets)
    return [
        Suspect(int(items[row]), classes[targets[row]], classes[suggested], float(score))
        for row, suggested, score in zip(found.rows, found.suggested, found.scores, strict=True)
    ]
