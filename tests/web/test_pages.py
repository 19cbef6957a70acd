"""The pages come with the task in them, so that no script has to wait for it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lightbulb.web.app import create_app
from support import config_for, opened

PAGES = ("/", "/review", "/dataset", "/model", "/try")
HOSTILE = "</script><script>alert(1)</script><!--<script>"


class Scripts(HTMLParser):
    """What a browser takes for scripts: their attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        if self._inside:
            self.found.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, text = self.found[-1]
            self.found[-1] = attributes, text + data


@pytest.mark.parametrize("page", PAGES)
def test_a_page_holds_the_task_and_is_asked_for_anew(client: FlaskClient, page: str) -> None:
    response = client.get(page)
    assert response.headers["Cache-Control"] == "no-store"  # Back shows what is stored, "no-cache" or not
    held = [text for attributes, text in Scripts(response.text).found if attributes.get("id") == "task"]
    assert [json.loads(text) for text in held] == [client.get("/api/task").json]


def test_what_the_task_says_is_no_script(digits: Path, tmp_path: Path) -> None:
    task = {"title": HOSTILE, "description": HOSTILE}
    with opened(config_for(tmp_path, digits / "digits", task=task)) as workspace:
        html = create_app(workspace).test_client().get("/").text
    scripts = Scripts(html).found
    assert [attributes.get("type") for attributes, _ in scripts] == ["application/json", "module"]
    assert json.loads(scripts[0][1])["title"] == HOSTILE
