"""Fine-tuning in a real service: seen at the top of the page, and killed in the middle without harm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from browser.driving import wait_for_text
from serving import RunningServer, write_config
from support import copy_digits

pytestmark = pytest.mark.browser


def label(server: RunningServer, truth: Mapping[str, str], count: int) -> None:
    while count > 0:
        questions = server.get(f"/api/questions?n={min(count, 50)}")["questions"]
        labels = [{"item": one["item"], "label": truth[one["name"]]} for one in questions]
        requests.post(f"{server.base}/api/labels", json={"labels": labels}, timeout=30).raise_for_status()
        count -= len(labels)


def test_it_is_shown_and_survives_a_kill(
    page: Any, digits: Path, truth: Mapping[str, str], tmp_path: Path
) -> None:
    copy_digits(digits / "digits", tmp_path / "pool", 200)
    config = write_config(tmp_path / "task.yml", tmp_path / "pool", model={"fine_tune": True})
    server = RunningServer(config)
    try:
        label(server, truth, 155)
        page.goto(server.base)
        wait_for_text(page, "#training-detail", r"^fine-tuning \d+ %$")
        server.kill()
        server = RunningServer(config)
        status = server.wait_until("/api/status", lambda status: status["training"]["state"] == "tuning")
        assert status["items"]["labelled"] == 155 and status["training"]["error"] is None
        assert 0 <= status["training"]["progress"] <= 1 and status["training"]["active"]
        score = requests.post(
            f"{server.base}/score", files={"files": (tmp_path / "pool" / "0000.png").read_bytes()}, timeout=30
        )
        assert score.ok, "the model serves meanwhile"
        server.wait_until(
            "/api/status",
            lambda status: status["training"]["state"] == "idle" and status["encoding"]["done"] == 200,
            seconds=240,
        )
        page.goto(server.base)
        wait_for_text(page, "#training-detail", r"^model \d+")
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
    log = server.log_path.read_text()
    assert log.count("tuning.done") == 1 and "learner.failed" not in log
