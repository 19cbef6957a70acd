from __future__ import annotations

import numpy as np
import pytest

from lightbulb.records import Float32s
from lightbulb.training.compare import compare

TARGETS = np.zeros(40, dtype=np.int64)
ALL = np.ones(40, dtype=np.bool_)


def giving(right: object) -> Float32s:
    """Probabilities of two classes; right: of the true one, (n,)."""
    first = np.broadcast_to(np.asarray(right, dtype=np.float32), 40)
    return np.stack([first, 1 - first], axis=1)


def test_the_gain_by_hand_and_who_is_better() -> None:
    jitter = np.linspace(0, 0.01, 40)
    found = compare(giving(0.4 + jitter), giving(0.8 + jitter), TARGETS, ALL)
    assert found.gain == pytest.approx(np.log(2), abs=0.02)
    assert (found.accuracy_before, found.accuracy_after, found.n) == (0.0, 1.0, 40)
    assert found.better and found.p_value < 1e-6
    back = compare(giving(0.8 + jitter), giving(0.4 + jitter), TARGETS, ALL)
    assert not back.better and back.p_value > 0.99


def test_the_same_is_no_better() -> None:
    assert not compare(giving(0.7), giving(0.7), TARGETS, ALL).better


def test_a_lucky_item_is_no_evidence() -> None:
    lucky = np.full(40, 0.7)
    lucky[0] = 0.99
    found = compare(giving(np.where(lucky > 0.9, 0.01, 0.7)), giving(lucky), TARGETS, ALL)
    assert found.gain > 0.1 and found.accuracy_after > found.accuracy_before and not found.better


def test_the_held_out_items_have_the_last_word() -> None:
    """However much better it is on the others."""
    held_out = np.arange(40) < 10
    before, after = np.full(40, 0.55), np.linspace(0.9, 0.95, 40)
    assert compare(giving(before), giving(after), TARGETS, held_out).better
    less_accurate = after.copy()
    less_accurate[0] = 0.49  # its mean loss is lower all the same
    found = compare(giving(before), giving(less_accurate), TARGETS, held_out)
    assert found.p_value < 0.05 and found.held_out_gain > 0 and not found.better
    less_sure = after.copy()
    less_sure[held_out] = 0.54
    found = compare(giving(before), giving(less_sure), TARGETS, held_out)
    assert found.p_value < 0.05 and found.accuracy_after == found.accuracy_before and not found.better
