"""What a person does and sees on the Dataset page, in a line each."""

from __future__ import annotations

from typing import Any

from browser.driving import WAIT_MS, wait_for_text
from serving import RunningServer


def open_dataset(page: Any, server: RunningServer, query: str = "") -> None:
    page.goto(f"{server.base}/dataset{query}")
    page.wait_for_selector("#tiles li[data-item]", timeout=WAIT_MS)


def tile(index: int) -> str:
    return f'#tiles li[data-index="{index}"]'


def wait_for_tile(page: Any, index: int, part: str, pattern: str) -> None:
    page.wait_for_selector(f"{tile(index)} {part}", timeout=WAIT_MS)
    wait_for_text(page, f"{tile(index)} {part}", pattern)


def selected(page: Any) -> list[int]:
    cells = page.query_selector_all('#tiles li[aria-selected="true"]')
    return sorted(int(cell.get_attribute("data-index")) for cell in cells)


def wait_for_selection(page: Any, indices: list[int]) -> None:
    """A range is looked up on the server, and what moves up in a list comes with it."""
    page.wait_for_function(
        """(wanted) => {
          const cells = document.querySelectorAll('#tiles li[aria-selected="true"]');
          const indices = Array.from(cells, (cell) => Number(cell.dataset.index));
          return indices.sort((a, b) => a - b).join() === wanted.join();
        }""",
        arg=indices,
        timeout=WAIT_MS,
    )


def focused(page: Any) -> int:
    return int(page.evaluate("() => document.activeElement.dataset.index ?? -1"))


def labels_of(server: RunningServer) -> dict[str, str | None]:
    return {row["name"]: row["label"] for row in server.get("/api/items?limit=500")["items"]}


def labelled(server: RunningServer, count: int) -> None:
    server.wait_until("/api/status", lambda now: now["items"]["labelled"] == count)
