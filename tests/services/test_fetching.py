"""Fetching by URL: only from where it may, never too much, never too long; servers on this machine."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lightbulb.errors import FetchError, InputError
from lightbulb.services.fetching import UrlFetcher

DRIPS, DRIP_SECONDS = 100, 0.1


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/ok")
            self.end_headers()
        elif self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif self.path == "/ok":
            self.reply(b"hello")
        elif self.path == "/large":
            self.reply(b"x" * 5000)
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(DRIPS):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(DRIP_SECONDS)
        else:
            self.send_error(404)

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetcher(*, allow_private: bool, seconds: float = 30.0) -> UrlFetcher:
    return UrlFetcher(seconds=seconds, max_bytes=1000, allow_private=allow_private)


def test_fetches_and_follows_where_private_addresses_are_allowed(base: str) -> None:
    assert fetcher(allow_private=True).fetch(f"{base}/ok") == b"hello"
    assert fetcher(allow_private=True).fetch(f"{base}/redirect") == b"hello"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
def test_private_addresses_are_refused_however_they_are_written(base: str, host: str) -> None:
    port = base.rsplit(":", 1)[1]
    with pytest.raises(FetchError, match="private"):
        fetcher(allow_private=False).fetch(f"http://{host}:{port}/ok")


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1/", "http://169.254.169.254/latest", "https://192.168.1.1/"]
)
def test_private_networks_are_refused(address: str) -> None:
    with pytest.raises(FetchError, match="private"):
        fetcher(allow_private=False).fetch(address)


@pytest.mark.parametrize(
    ("path", "word"),
    [("/large", "larger"), ("/none", "404"), ("/loop", "redirect")],
)
def test_limits(base: str, path: str, word: str) -> None:
    with pytest.raises(FetchError, match=word):
        fetcher(allow_private=True).fetch(f"{base}{path}")


def test_a_server_that_drips_is_left_long_before_the_last_drop(base: str) -> None:
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"longer|within"):
        fetcher(allow_private=True, seconds=1.0).fetch(f"{base}/drip")
    assert time.monotonic() - started < DRIPS * DRIP_SECONDS / 2


def test_nobody_listening() -> None:
    with pytest.raises(FetchError, match="could not be fetched"):
        fetcher(allow_private=True).fetch("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "cat.jpg", "", "http://", "http:///x", "data:image/png"]
)
def test_what_is_no_usable_url(url: str) -> None:
    with pytest.raises(InputError):
        fetcher(allow_private=True).fetch(url)


def test_data_urls() -> None:
    assert fetcher(allow_private=False).fetch("data:image/png;base64,aGk=") == b"hi"
    assert fetcher(allow_private=False).fetch("data:,a%20b") == b"a b"
    with pytest.raises(InputError, match="base64"):
        fetcher(allow_private=False).fetch("data:;base64,@@")
    with pytest.raises(FetchError, match="larger"):
        fetcher(allow_private=False).fetch("data:," + "x" * 2000)


def test_proxies_of_the_environment_are_not_used(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    assert fetcher(allow_private=True).fetch(f"{base}/ok") == b"hello"
