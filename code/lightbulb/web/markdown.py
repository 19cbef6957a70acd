"""Markdown of a task's description → HTML that can only be text, lists, tables, code and links."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

LARGEST_HEADING = 2  # the page has its own h1
SCHEMES = ("http://", "https://", "mailto:", "/", "#")


def render_markdown(text: str) -> Markup:
    """Raw HTML comes out as it was typed; pictures, which could only be from elsewhere, as links.

    Links of other schemes than http, https, mailto and the page's own stay text, the others open a page of
    their own.
    """
    tokens = _renderer.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + LARGEST_HEADING - 1)}"
        if style := token.attrs.pop("style", None):  # the only one there is; the page's policy forbids it
            token.attrSet("align", str(style).removeprefix("text-align:"))
        _open_apart(token.children or ())
    return Markup(_renderer.renderer.render(tokens, _renderer.options, {}))


def _open_apart(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type == "link_open":
            token.attrSet("target", "_blank")
            token.attrSet("rel", "noopener noreferrer")


class _Safe(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return url.strip().lower().startswith(SCHEMES)


_renderer = _Safe("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")
