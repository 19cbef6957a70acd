"""The WSGI server: waitress, one process, ended cleanly by Ctrl-C or SIGTERM."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from typing import Any

from waitress.server import create_server

from lightbulb.errors import StoreError

THREADS = 32  # a request for scores holds one until its batch is done; pages must not wait behind a few dozen


def listen(app: Any, host: str, port: int) -> Any:
    """A server bound to its address. Raises: StoreError naming the address if it is taken or not ours."""
    try:
        return create_server(app, host=host, port=port, threads=THREADS, ident="light-bulb")
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        hint = "something is listening there already; try --port" if taken else str(error)
        raise StoreError(f"server.port: cannot listen on {host}:{port}: {hint}", code="address") from error


def run_until_stopped(server: Any, stop: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM, then calls `stop`."""

    def end(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
        stop()
