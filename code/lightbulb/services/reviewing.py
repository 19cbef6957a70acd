"""What the Review page shows at once: a batch, how its items may be ordered, and what may be accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lightbulb.autolabel.arrange import similarity_order
from lightbulb.records import Batch, ItemId
from lightbulb.services.auditing import Audit, Auditing, Certificate
from lightbulb.services.confirming import Confirming
from lightbulb.services.encoded import EncodedPool
from lightbulb.services.upholding import Upholding


@dataclass(frozen=True)
class Review:
    """similar: place of each item of the batch in a row that has similar ones side by side, from 0.

    ahead: items that the next batch is likely to hold, to fetch their pictures in time.
    certificates: of whatever class; what the batch is a part of is among them, if it is certified.
    """

    batch: Batch | None
    audit: Audit | None
    similar: tuple[int, ...]
    ahead: tuple[ItemId, ...]
    certificates: tuple[Certificate, ...]


class Reviewing:
    def __init__(
        self,
        confirming: Confirming,
        auditing: Auditing,
        upholding: Upholding,
        encoded: Callable[[], EncodedPool],
        *,
        batch_size: int,
    ) -> None:
        self._confirming = confirming
        self._auditing = auditing
        self._upholding = upholding
        self._encoded = encoded
        self._batch_size = batch_size

    def next(self, *, client: str = "", label: str | None = None) -> Review:
        """The next batch, as `Confirming.next_batch` draws it. Raises: LabelError."""
        batch = self._confirming.next_batch(client=client, label=label)
        audit = None if batch is None else self._confirming.audit_of(batch)
        ahead = () if batch is None else self._auditing.ahead(batch, self._batch_size, client)
        return self._review(batch, audit, ahead)

    def again(self, audit: int, *, client: str = "") -> Review:
        """A batch of what was accepted on an audit, as `Upholding.check_more` draws it.

        Raises: NotFound, Conflict as there.
        """
        return self._review(self._upholding.check_more(audit, client), None, ())

    def _review(self, batch: Batch | None, audit: Audit | None, ahead: Sequence[ItemId]) -> Review:
        return Review(
            batch,
            audit,
            () if batch is None else self._similar(batch.items),
            tuple(ahead),
            tuple(self._auditing.certificates()),
        )

    def _similar(self, items: Sequence[ItemId]) -> tuple[int, ...]:
        """Items without an embedding come last, in their order."""
        order = np.arange(len(items), dtype=np.int64)
        pool = self._encoded()  # once: rows of one pool mean nothing in another
        if pool.ready:
            rows = pool.rows(np.array(items, dtype=np.int64))
            known, others = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
            order = np.concatenate([known[similarity_order(pool.points(rows[known]))], others])
        places = np.empty(len(items), dtype=np.int64)
        places[order] = np.arange(len(items))
        return tuple(places.tolist())
