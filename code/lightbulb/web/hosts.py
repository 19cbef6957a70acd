"""Which names the service answers to.

A page elsewhere can let a name of its own point to this machine (DNS rebinding): to the browser that page and
this service are then one site. What such a page cannot do is to send another `Host` than its own name. So
only names are answered to that no stranger can own.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from collections.abc import Collection

from flask import request

from lightbulb.errors import InputError

HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def refuse_foreign_hosts(trusted: Collection[str]) -> None:
    """To be called before each request. trusted: `server.trusted_hosts`.

    Raises: InputError (`foreign_host`) if the request is to a name that is not ours.
    """
    header = request.environ.get("HTTP_HOST")
    if header is None:  # HTTP/1.0, as some probes speak; every browser says whom it means
        return
    match = HOST.fullmatch(header.strip().lower())
    name = match["name"].removesuffix(".") if match else ""
    if not (is_among(name, trusted) if trusted else is_own(name)):
        raise InputError(
            f"this service does not answer to the name {header!r}; if that is a name of its machine, "
            "list it in the YAML: server.trusted_hosts",
            code="foreign_host",
        )


def is_among(name: str, trusted: Collection[str]) -> bool:
    """`.example.org` stands for every name below example.org, and for itself."""
    for one in trusted:
        wanted = one.lower().removesuffix(".")
        if name == wanted.removeprefix(".") or (wanted.startswith(".") and name.endswith(wanted)):
            return True
    return False


def is_own(name: str) -> bool:
    """Whether the machine goes by this name, as far as can be known without being told: an address, a name
    without a dot (localhost, one of the local network, a container's; nobody can register it), or its own.
    """
    if not name:
        return False
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return "." not in name or name in own_names()
    return True


@functools.cache
def own_names() -> frozenset[str]:
    """Of this machine, with dots. Asked for late and once: a resolver that does not answer takes seconds."""
    host = socket.gethostname().lower()
    return frozenset({host, f"{host.partition('.')[0]}.local", socket.getfqdn().lower()})
