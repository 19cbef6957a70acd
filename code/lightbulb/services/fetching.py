"""Fetching what a client names by URL: never from private addresses, never too much, never too long."""

from __future__ import annotations

import base64
import binascii
import time
import urllib.parse

import requests
from requests_hardened import Config as HardenedConfig
from requests_hardened import Manager
from requests_hardened.ip_filter import InvalidIPAddress
from urllib3.exceptions import HTTPError

from lightbulb.config import Config
from lightbulb.errors import FetchError, InputError

USER_AGENT = "light-bulb"
BLOCK = 1 << 16
REDIRECTS = 5
PLAIN = {"Accept-Encoding": "identity"}  # images are compressed already


class UrlFetcher:
    """requests-hardened pins each resolved address, refuses private ones, and checks every redirect anew."""

    def __init__(self, *, seconds: float, max_bytes: int, allow_private: bool) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._manager = Manager(
            HardenedConfig(
                ip_filter_enable=not allow_private,
                ip_filter_allow_loopback_ips=False,
                never_redirect=False,
                default_timeout=(min(seconds, 5.0), seconds),
                user_agent_override=USER_AGENT,
            )
        )

    def fetch(self, url: str) -> bytes:
        """The bytes behind an http:, https: or data: URL.

        Raises: InputError for any other URL; FetchError if it is refused, fails, or passes a limit.
        """
        scheme = url.partition(":")[0].lower()
        if scheme == "data":
            return self._decode_data_url(url)
        if scheme not in ("http", "https") or not urllib.parse.urlsplit(url).netloc:
            raise InputError(f"{_short(url)!r} is not an http:, https: or data: URL", code="bad_url")
        try:
            return self._get(url)
        except requests.exceptions.Timeout as error:
            raise FetchError(f"{_short(url)} did not answer within {self._seconds:g} s") from error
        except (
            OSError,
            HTTPError,
        ) as error:  # requests' own errors are among them, and those of name resolution
            raise FetchError(f"{_short(url)} could not be fetched: {_reason(error)}") from error
        except (UnicodeError, ValueError) as error:
            raise InputError(f"{_short(url)!r} is not a usable URL: {error}", code="bad_url") from error

    def _get(self, url: str) -> bytes:
        deadline = time.monotonic() + self._seconds
        with self._manager.get_session() as session:
            session.trust_env = False  # no proxies or .netrc of the server's environment
            session.max_redirects = REDIRECTS
            with session.request("GET", url, stream=True, headers=PLAIN) as response:
                if response.status_code != 200:
                    raise FetchError(f"{_short(url)} answered with status {response.status_code}")
                body = bytearray()
                # read1 gives what has come; waiting for a whole block could outlast any limit
                while block := response.raw.read1(BLOCK, decode_content=False):
                    body += block
                    self._check_size(len(body), url)
                    if time.monotonic() > deadline:
                        raise FetchError(f"{_short(url)} took longer than {self._seconds:g} s")
        return bytes(body)

    def _decode_data_url(self, url: str) -> bytes:
        head, comma, payload = url.partition(",")
        if not comma:
            raise InputError("a data: URL needs a comma before its data", code="bad_url")
        self._check_size(len(payload) * 3 // 4 if head.endswith(";base64") else len(payload), "the data: URL")
        raw = urllib.parse.unquote_to_bytes(payload)
        if not head.lower().endswith(";base64"):
            return raw
        try:
            return base64.b64decode(raw, validate=True)
        except binascii.Error as error:
            raise InputError(f"the data: URL is not valid base64: {error}", code="bad_url") from error

    def _check_size(self, size: int, url: str) -> None:
        if size > self._max_bytes:
            raise FetchError(
                f"{_short(url)} is larger than the limit of {self._max_bytes / 1e6:g} MB", code="too_large"
            )


def _short(url: str) -> str:
    return url if len(url) <= 120 else f"{url[:117]}..."


def _reason(error: Exception) -> str:
    if isinstance(error, InvalidIPAddress):
        return "private addresses are refused (server.allow_private_urls: true would allow them)"
    return str(error)[:300]


def make_fetcher(config: Config) -> UrlFetcher:
    server = config.server
    return UrlFetcher(
        seconds=server.url_timeout_seconds,
        max_bytes=int(server.max_image_megabytes * 1e6),
        allow_private=server.allow_private_urls,
    )
