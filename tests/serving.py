"""The real server as a process of its own, as a user starts it."""

from __future__ import annotations

import functools
import http.server
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from support import DIGIT_CLASSES

SERVER = Path(__file__).parents[1] / "code" / "server.py"
START_SECONDS = 60.0


def write_config(path: Path, directory: Path, **changes: Any) -> Path:
    """A YAML on `directory`, writing below the YAML's folder; changes: sections, merged by key."""
    raw: dict[str, Any] = {
        "task": {"title": "Which digit?"},
        "dataset": {"directory": str(directory), "judgements_file": str(path.parent / "out" / "labels.csv")},
        "label": {"classes": list(DIGIT_CLASSES)},
        "model": {"weights": "builtin", "image_size": 64},
        "server": {"allow_private_urls": True},
    }
    for section, keys in changes.items():
        raw[section] = {**raw.get(section, {}), **keys}
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return path


class RunningServer:
    """base: its URL once it answers."""

    def __init__(self, config: Path, *options: str) -> None:
        self.log_path = config.with_suffix(".log")
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SERVER), "--config", str(config), "--port", "0", *options],
                stderr=log,
                stdout=log,
            )
        self.base = self._wait()

    def _wait(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = re.search(r"on http://localhost:(\d+)", self.log_path.read_text())
            if found:
                base = f"http://127.0.0.1:{found[1]}"
                try:
                    if requests.get(f"{base}/healthz", timeout=5).ok:
                        return base
                except (requests.ConnectionError, requests.Timeout):
                    pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.kill()
        raise AssertionError(f"the server did not start:\n{self.log_path.read_text()}")

    def get(self, path: str) -> Any:
        response = requests.get(f"{self.base}{path}", timeout=30)
        response.raise_for_status()
        return response.json()

    def wait_until(self, path: str, condition: Any, seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            state = self.get(path)
            if condition(state):
                return state
            assert time.monotonic() < deadline, f"still {state}"
            time.sleep(0.1)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(30)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def folder_served(folder: Path) -> Iterator[str]:
    """URL of a web server on this machine that serves the folder's files."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def curl_score(server: RunningServer, folder: Path, name: str) -> dict[str, Any]:
    """The README's line, with an image from a server on this machine."""
    with folder_served(folder) as files:
        body = json.dumps({"type": "images", "urls": [f"{files}/{name}"]})
        command = ["curl", "--silent", "--header", "Content-Type: application/json", "--request", "POST"]
        done = subprocess.run(
            [*command, "--data", body, f"{server.base}/score"], capture_output=True, text=True, check=True
        )
        return dict(json.loads(done.stdout))
