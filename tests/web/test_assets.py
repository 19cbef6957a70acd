"""The pages' scripts and styles: what is fetched ahead, and for how long it is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lightbulb.web import assets

PAGES = ("/", "/review", "/dataset", "/model", "/try")


@pytest.mark.parametrize("page", PAGES)
def test_every_module_of_a_page_is_fetched_at_once(client: FlaskClient, page: str) -> None:
    html = client.get(page).text
    entry = re.search(r'<script type="module" src="([^"]+)"', html)
    assert entry is not None
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)"', html)
    assert preloaded[0] == entry[1]
    for url in preloaded:
        script = client.get(url)
        assert script.status_code == 200 and "immutable" in script.headers["Cache-Control"]
        folder = url.rpartition("/")[0]
        # every import of another file, however it is written, but for types in comments
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", script.text, flags=re.DOTALL)
        for name in re.findall(r"""["']\./([\w-]+\.js)["']""", code):
            assert f"{folder}/{name}" in preloaded


def test_a_changed_file_changes_the_address(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = assets.contents_digest()
    assert f"/static/{before}/css/base.css" in client.get("/").text
    monkeypatch.setattr(assets, "STATIC", tmp_path)
    (tmp_path / "a.css").write_text("a")
    first = assets.contents_digest()
    (tmp_path / "a.css").write_text("b")
    assert len({before, first, assets.contents_digest()}) == 3


def test_an_address_of_another_release_is_not_there(client: FlaskClient) -> None:
    response = client.get("/static/0123456789ab/css/base.css")
    assert response.status_code == 404 and "immutable" not in response.headers.get("Cache-Control", "")
