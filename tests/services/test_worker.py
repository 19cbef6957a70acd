"""The thread that does one step after the other."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from lightbulb.services.worker import NICENESS, Worker

WAIT_SECONDS = 60.0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux knows priorities of threads")
def test_it_gives_way_to_others_and_they_keep_their_priority() -> None:
    priorities: list[int] = []
    done = threading.Event()

    def step() -> bool:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        done.set()
        return False

    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    worker = Worker("test", step, lambda: None)
    worker.start()
    assert done.wait(WAIT_SECONDS) and worker.stop()
    assert priorities == [max(mine, NICENESS)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine


def test_a_failing_step_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbulb.services.worker.FIRST_RETRY_SECONDS", 0.01)
    calls: list[int] = []
    failures: list[str | None] = []
    done = threading.Event()

    def step() -> bool:
        calls.append(len(calls))
        if len(calls) == 1:
            raise RuntimeError("out of luck")
        done.set()
        return False

    worker = Worker("test", step, lambda: failures.append(worker.error))
    worker.start()
    assert done.wait(WAIT_SECONDS) and worker.stop()
    assert failures == ["RuntimeError: out of luck"] and worker.error is None
