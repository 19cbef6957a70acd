"""Random sequences of whatever the pages can do: after each step what is told is what was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lightbulb.services.catalog import Catalog
from web.player import Player


class CheckedPlayer(Player):
    def check(self) -> None:
        expected = self.expected
        in_force = expected.in_force()
        assert {one[0]: one[1:] for one in self.exported()} == in_force
        status = self.get("/api/status")
        counts = {
            "total": len(expected.items), "labelled": len(expected.labelled(self.classes)),
            "unlabelled": len(expected.unlabelled(self.classes)), "broken": len(expected.gone),
            "skipped": len(expected.skipped(self.classes)), "flagged": len(expected.flags),
        }  # fmt: skip
        assert {name: status["items"][name] for name in counts} == counts
        values = [value for value, _, _ in in_force.values()]
        assert status["classes"] == {name: values.count(name) for name in self.classes}
        answers = self.get("/api/answers?n=100")["answers"]
        assert [(one["item"], one["label"], one["action"]) for one in answers] == expected.answers_of(
            self.who, 100
        )
        item = self.some(2)[0]
        history = self.get(f"/api/items/{item}")["history"]
        told = [(one["action"], one["value"], one["source"], one["undone_at"] is not None) for one in history]
        assert told == expected.history_of(item)
        for one in status["lapsed"]:
            certified = [value for value, source, _ in in_force.values() if source == "certified"]
            assert 0 < one["labels"] <= certified.count(one["label"])
            assert one["most"] is None or one["most"] > one["allowed"]
            assert one["wrong"] + one["withdrawn"] + one["found"] + one["removed"] > 0
        self.check_view()

    def check_view(self) -> None:
        """What was kept in memory step by step is what the database says when it is read anew."""
        workspace, view = self.workspace, self.workspace.catalog.view
        fresh = Catalog(workspace.items, workspace.labels, workspace.batches, self.classes)
        for name in ("ids", "draws", "held_out", "broken", "labels", "sources", "given_at", "asked",
                     "skipped_at", "recalled", "doubts", "orphaned", "last_action", "keys"):  # fmt: skip
            np.testing.assert_array_equal(getattr(view, name), getattr(fresh.view, name), err_msg=name)
        barred = {
            (item, self.classes.index(name)) for item, name in self.expected.barred() if name in self.classes
        }
        for one in (view, fresh.view):
            assert set(zip(one.barred_items.tolist(), one.barred_labels.tolist(), strict=True)) == barred
        names = [np.array([*one.annotators, ""], dtype=object) for one in (workspace.catalog, fresh)]
        np.testing.assert_array_equal(names[0][view.annotators], names[1][fresh.view.annotators])
        assert set(view.ids[view.asked].tolist()) == self.expected.asked(self.classes)
        assert workspace.labels.frontier(self.classes) == view.frontier

    @property
    def moves(self) -> dict[Callable[[], object], float]:
        return {
            self.label: 3, self.send_again: 1, self.skip: 2, self.bulk: 2, self.remove: 1, self.undo: 4,
            self.undo_one: 1, self.flag: 1, self.ask: 1, self.show_batch: 3, self.answer_batch: 5,
            self.accept: 1, self.review: 1.5, self.check_again: 2, self.take_back: 1, self.take_in: 1,
            self.upload: 0.5, self.vanish: 0.7, self.return_all: 0.5, self.restart: 0.4, self.publish: 1,
        }  # fmt: skip

    def play(self, steps: int) -> None:
        moves, weights = list(self.moves), np.array(list(self.moves.values()))
        try:
            for _ in range(steps):
                moves[int(self.rng.choice(len(moves), p=weights / weights.sum()))]()
                self.check()
            self.take_in_elsewhere()
        finally:
            self.close()


@pytest.mark.parametrize("seed", [3, 32])  # in which labels are accepted, checked again and taken back
def test_whatever_people_do_what_is_told_is_what_they_did(tmp_path: Path, seed: int) -> None:
    CheckedPlayer(tmp_path, seed).play(60)
