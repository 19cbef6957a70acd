"""Names that the service answers to: those that no stranger can own, or those it was told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lightbulb.web import hosts
from lightbulb.web.app import create_app
from support import config_for, copy_digits, opened


@pytest.fixture(autouse=True)
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine named Box in the domain lan.example.org."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Box")
    monkeypatch.setattr(socket, "getfqdn", lambda *_: "box.lan.example.org")
    hosts.own_names.cache_clear()
    yield
    hosts.own_names.cache_clear()


@pytest.fixture
def statuses(tmp_path: Path, digits: Path) -> Callable[..., dict[str | None, int]]:
    """The status by `Host` header, of a service with these settings of `server`."""
    directory = copy_digits(digits / "digits", tmp_path / "pool", 3)

    def ask(headers: Sequence[str | None], **server: Any) -> dict[str | None, int]:
        with opened(config_for(tmp_path, directory, server=server)) as workspace:
            client = create_app(workspace).test_client()
            found = {}
            for header in headers:
                asked = {"environ_overrides": {"HTTP_HOST": header}}
                answers = [client.get(path, **asked) for path in ("/", "/api/task", "/healthz")]
                found[header] = answers[0].status_code
                assert {answer.status_code for answer in answers} == {found[header]}
                if found[header] == 400:
                    message = answers[0].json["error"]["message"]
                    assert repr(header) in message and "server.trusted_hosts" in message
            return found

    return ask


OWN = [
    "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "192.168.1.20:5000", "[fd00::20]", "box", "BOX:5000",
    "box.local:5000", "box.lan.example.org", "Box.Lan.Example.Org.:5000", "light_bulb:5000", None,
]  # fmt: skip
FOREIGN = [
    "evil.example", "evil.example:5000", "box.evil.example", "evilbox.local", "127.0.0.1.evil.example",
    "localhost.evil.example:5000", "lan.example.org", "1.2.3.4, evil", "[evil]", "", "box:5000@evil.example",
]  # fmt: skip


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_on_a_network_without_configuration(statuses: Callable[..., Any], address: str) -> None:
    assert statuses([*OWN, *FOREIGN], host=address) == dict.fromkeys(OWN, 200) | dict.fromkeys(FOREIGN, 400)


def test_the_names_it_was_told_instead(statuses: Callable[..., Any]) -> None:
    told = [
        "labels.example.org",
        "Labels.Example.Org:443",
        "a.b.lab.example.org",
        "lab.example.org",
        "[::1]:5000",
    ]
    others = ["xlab.example.org", "www.labels.example.org", "192.168.1.20", "localhost", "box"]
    trusted = ["labels.example.org", ".lab.example.org", "[::1]"]
    found = statuses([*told, *others], host="0.0.0.0", trusted_hosts=trusted)
    assert found == dict.fromkeys(told, 200) | dict.fromkeys(others, 400)
