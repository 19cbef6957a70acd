"""A short film of a page: screenshots in a row, kept as an animated WebP."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

QUALITY = 72
LARGEST = 2_000_000  # bytes that a README may reasonably ask of its reader


class Film:
    def __init__(self, page: Any) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._milliseconds: list[int] = []

    def shoot(self, milliseconds: int) -> None:
        """What the page shows now, for so long. The same as before only makes that last longer."""
        with Image.open(io.BytesIO(self._page.screenshot())) as taken:
            frame = taken.convert("RGB")
        if self._frames and frame.tobytes() == self._frames[-1].tobytes():
            self._milliseconds[-1] += milliseconds
            return
        self._frames.append(frame)
        self._milliseconds.append(milliseconds)

    def save(self, path: Path) -> None:
        """Raises: AssertionError if the file is larger than LARGEST."""
        first, *others = self._frames
        first.save(
            path, save_all=True, append_images=others, duration=self._milliseconds, loop=0,
            quality=QUALITY, method=6, allow_mixed=True,
            kmin=9, kmax=20,  # whole frames now and then: no ghosts of earlier ones
        )  # fmt: skip
        assert path.stat().st_size <= LARGEST, f"{path.name} has {path.stat().st_size} bytes"
