"""A real Chromium, the system's; skipped where there is none, unless the check insists on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from browser.driving import label_by_api, wait_for_labels, wait_until_learnt
from serving import RunningServer, write_config
from support import copy_digits

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ServeDigits = Callable[..., RunningServer]
VIEWPORT = {"width": 1280, "height": 800}


def missing(reason: str) -> None:
    if os.environ.get("LIGHTBULB_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


def installed_browser() -> str:
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        missing(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return str(executable)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    executable = installed_browser()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page in a fresh profile; an uncaught error in it, or a refused script, fails the test."""
    context = browser.new_context(viewport=VIEWPORT)
    errors: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def config(digits: Path, tmp_path: Path) -> Path:
    """A task on 400 digits with a lenient threshold, so that proposals come soon."""
    copy_digits(digits / "digits", tmp_path / "pool", 400)
    return write_config(
        tmp_path / "task.yml", tmp_path / "pool", auto_label={"confidence": 0.8, "batch_size": 30}
    )


@pytest.fixture(scope="module")
def serve_digits(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeDigits]:
    """serve_digits(count, others, **changes): a service on so many digits, which ends with the module.

    others: further files, by name. changes: sections of the configuration, merged by key.
    """
    running: list[RunningServer] = []

    def serve(count: int, others: Mapping[str, bytes] | None = None, **changes: Any) -> RunningServer:
        folder = tmp_path_factory.mktemp("served")
        pool = copy_digits(digits / "digits", folder / "pool", count)
        for name, content in (others or {}).items():
            (pool / name).write_bytes(content)
        running.append(RunningServer(write_config(folder / "task.yml", pool, **changes)))
        return running[-1]

    yield serve
    for server in running:
        server.kill()


@pytest.fixture(scope="session")
def labelled_server(
    digits: Path, truth: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """400 digits at the size that config/digits.yml has, and models of 20, 30, … 80 labels.

    Shared: who changes which model serves changes it back.
    """
    folder = tmp_path_factory.mktemp("labelled")
    pool = copy_digits(digits / "digits", folder / "pool", 400)
    running = RunningServer(write_config(folder / "task.yml", pool, model={"image_size": 128}))
    try:
        for count in range(10, 90, 10):
            label_by_api(running, truth, 10)
            if count >= 20:
                wait_for_labels(running, count)
        wait_until_learnt(running)
        yield running
    finally:
        running.kill()


@pytest.fixture
def server(config: Path) -> Iterator[RunningServer]:
    running = RunningServer(config)
    yield running
    if running.process.poll() is None:
        running.kill()
