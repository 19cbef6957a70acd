from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lightbulb.records import Answer
from lightbulb.services.assemble import Workspace
from lightbulb.services.leases import LEASE_SECONDS, Leases
from support import answer, config_for, learn, opened


def test_no_item_is_asked_twice_and_all_are_asked(workspace: Workspace, truth: Mapping[str, str]) -> None:
    asked = answer(workspace, truth, 60)
    assert sorted(asked) == sorted(set(asked)) == workspace.catalog.view.ids.tolist()
    assert workspace.asking.next_questions(5) == ([], 0)


def test_two_browsers_are_never_asked_the_same(workspace: Workspace) -> None:
    first, _ = workspace.asking.next_questions(10, client="a")
    second, _ = workspace.asking.next_questions(10, client="b")
    third, _ = workspace.asking.next_questions(10, client="a", have=[one.item for one in first])
    items = [one.item for one in (*first, *second, *third)]
    assert len(items) == len(set(items)) == 30


def test_what_a_reloaded_page_no_longer_holds_is_asked_again(workspace: Workspace) -> None:
    everything, remaining = workspace.asking.next_questions(60, client="a")
    assert len(everything) == remaining == 60
    assert workspace.asking.next_questions(5, client="b")[0] == []
    assert len(workspace.asking.next_questions(60, client="a", have=[everything[0].item])[0]) == 59


def test_leases_end_after_a_while() -> None:
    now = [0.0]
    leases = Leases(clock=lambda: now[0])
    leases.take("a", [1, 2])
    now[0] = LEASE_SECONDS - 1
    leases.renew("b", [])
    assert leases.held() == [1, 2]
    leases.renew("a", [2])
    now[0] = LEASE_SECONDS + 1
    leases.renew("b", [])
    assert leases.held() == [2]


def test_every_fifth_question_is_held_out_in_order_of_draw(
    workspace: Workspace, truth: Mapping[str, str]
) -> None:
    asked = answer(workspace, truth, 40)
    view = workspace.catalog.view
    held_out = [item for item in asked if view.held_out[view.positions([item])[0]]]
    assert len(held_out) == 8
    draws = view.draws[view.positions(held_out)]
    lowest = np.sort(view.draws[view.held_out])[:8]
    assert sorted(draws.tolist()) == lowest.tolist()


def test_held_out_items_never_train(workspace: Workspace, truth: Mapping[str, str]) -> None:
    learn(workspace)
    answer(workspace, truth, 40)
    learn(workspace)
    snapshot = workspace.learner.snapshot
    assert snapshot is not None and snapshot.labels == 40 and snapshot.trained_on == 32
    assert snapshot.accuracy is not None and snapshot.accuracy.n == 8


def test_only_what_was_drawn_so_far_is_measured(workspace: Workspace, truth: Mapping[str, str]) -> None:
    """A held-out item that gets its label in a batch counts once the questions have come that far."""
    answer(workspace, truth, 20)
    view = workspace.catalog.view
    assert int(view.measured.sum()) == 4
    last = view.ids[view.held_out][np.argmax(view.draws[view.held_out])]
    key = view.keys[int(view.positions([last])[0])]
    workspace.importing.import_text(f"path,label,source\n{key},{truth[key]},confirmed\n", _csv(), "someone")
    workspace.catalog.reload()
    assert int(workspace.catalog.view.measured.sum()) == 4
    answer(workspace, truth, 38)  # every other held-out item is asked by now
    assert int(workspace.catalog.view.measured.sum()) >= 11


def test_a_skipped_item_comes_back_when_nothing_else_is_left(
    workspace: Workspace, truth: Mapping[str, str]
) -> None:
    skipped = workspace.asking.next_questions(2)[0]
    workspace.labeling.save([Answer(one.item, None) for one in skipped])
    asked = answer(workspace, truth, 50)
    assert not {one.item for one in skipped} & set(asked)
    assert {one.item for one in skipped} <= set(answer(workspace, truth, 10))


def test_an_undone_answer_is_open_again(workspace: Workspace, truth: Mapping[str, str]) -> None:
    asked = answer(workspace, truth, 3)
    undone = workspace.labeling.undo()
    assert undone.items == (asked[-1],)
    assert int(workspace.catalog.view.labelled.sum()) == 2
    assert workspace.asking.questions(undone.items)[0].item == asked[-1]


def test_a_file_that_vanished_is_not_asked(workspace: Workspace, pool: Path) -> None:
    gone = sorted(pool.iterdir())[:30]
    for file in gone:
        file.unlink()
    questions, _ = workspace.asking.next_questions(60)
    assert {one.key for one in questions} == {file.name for file in pool.iterdir()}
    assert workspace.asking.next_questions(1, have=[one.item for one in questions])[1] == 30


def test_margin_asks_about_what_the_model_doubts(trained: Workspace) -> None:
    questions, _ = trained.asking.next_questions(8, client="doubt")
    snapshot, view = trained.learner.snapshot, trained.catalog.view
    assert snapshot is not None
    top_two = np.sort(snapshot.probs, axis=1)[:, -2:]
    margins = dict(zip(snapshot.item_ids.tolist(), (top_two[:, 1] - top_two[:, 0]).tolist(), strict=True))
    asked = [one.item for one in questions if not view.held_out[view.positions([one.item])[0]]]
    free = view.ids[view.askable & ~view.held_out]
    assert max(margins[item] for item in asked) <= np.median([margins[int(item)] for item in free])


def test_same_seed_same_questions(pool: Path, tmp_path: Path) -> None:
    orders = []
    for run in ("a", "b"):
        with opened(config_for(tmp_path / run, pool)) as workspace:
            orders.append([one.key for one in workspace.asking.next_questions(10)[0]])
    assert orders[0] == orders[1]


def _csv():  # type: ignore[no-untyped-def]
    from lightbulb.store.formats.csv_table import CsvTable

    return CsvTable()
