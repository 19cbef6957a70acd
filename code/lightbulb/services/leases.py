"""Who has which item on the screen, so that two people are never asked the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from lightbulb.records import ItemId

LEASE_SECONDS = 600.0


class Leases:
    """Not thread-safe by itself; `Asking` holds a lock. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[ItemId, tuple[str, float]] = {}

    def renew(self, client: str, have: Collection[ItemId]) -> None:
        """The client still holds `have` and nothing else; leases that ran out end."""
        now = self._clock()
        keep = set(have)
        self._held = {
            item: (holder, until)
            for item, (holder, until) in self._held.items()
            if until > now and (holder != client or item in keep)
        }
        for item in keep:
            if self._held.get(item, (client, 0.0))[0] == client:
                self._held[item] = (client, now + LEASE_SECONDS)

    def take(self, client: str, items: Collection[ItemId]) -> None:
        until = self._clock() + LEASE_SECONDS
        self._held.update(dict.fromkeys(items, (client, until)))

    def held(self) -> list[ItemId]:
        return list(self._held)
