"""A description is formatted, and nothing in it runs."""

from __future__ import annotations

import pytest

from lightbulb.web.markdown import render_markdown


def test_what_guidelines_need() -> None:
    html = render_markdown(
        "# Cats\n\nA *cat* is **any** cat:\n\n- small\n- large\n\n[more](https://example.org)\n\n|a|b|\n|-|-|\n|1|2|"
    )
    assert "<h2>Cats</h2>" in html  # the page's title is its only h1
    assert "<em>cat</em>" in html and "<li>small</li>" in html and "<td>1</td>" in html
    assert '<a href="https://example.org" target="_blank" rel="noopener noreferrer">more</a>' in html


def test_columns_are_aligned_without_a_style_that_the_page_forbids() -> None:
    html = render_markdown("|a|b|\n|:-:|-:|\n|1|2|")
    assert '<th align="center">' in html and '<td align="right">' in html and "style" not in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=alert(1)>b</b>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](http://127.0.0.1/x.png)",
        '[x](https://example.org "\\"onmouseover=alert(1)")',
    ],
)
def test_nothing_runs_and_nothing_is_loaded(hostile: str) -> None:
    html = render_markdown(hostile)
    assert "<script" not in html and "<img" not in html and "<b" not in html.replace("<br", "")
    assert 'href="javascript' not in html.lower() and 'href="data' not in html.lower()
    assert '"onmouseover' not in html
