"""What becomes of a certificate once the labels it rests on are taken back, changed or found to be wrong."""

from __future__ import annotations

import pytest

from audit_bench import Bench, N, bench_on, certify
from lightbulb.errors import Conflict, NotFound
from lightbulb.records import Answer, ItemId, Source
from lightbulb.services.upholding import Lapsed


def accept(bench: Bench) -> tuple[list[ItemId], list[ItemId]]:
    """Reviews until the rest may be accepted and accepts it: (the sample, what was accepted)."""
    batch = bench.next_batch()
    certify(bench)
    labels = bench.workspace.labels
    sample = [one.item for one in labels.current()]
    bench.confirming.accept_rest(batch.id)
    accepted = [one.item for one in labels.current() if one.source == Source.CERTIFIED]
    assert bench.upholding.lapsed() == ()
    return sample, accepted


def the_lapsed(bench: Bench) -> Lapsed:
    (found,) = bench.upholding.lapsed()
    return found


def relabel(bench: Bench, items: list[ItemId], value: str) -> None:
    bench.workspace.labeling.save_together([Answer(item, value) for item in items])


def test_a_batch_that_was_open_at_the_acceptance_calls_nothing_back(bench: Bench) -> None:
    """What the acceptance labelled is no wrong one of the sample."""
    bench.review(bench.next_batch("a"))
    last, late = bench.next_batch("a"), bench.next_batch("late")
    assert bench.review(last).audit.certified
    bench.confirming.accept_rest(last.id)
    done = bench.confirming.answer(late.id, {})
    assert (done.audit.wrong, done.audit.certified) == (0, False)
    assert bench.workspace.catalog.view.recalled == 0 and bench.upholding.lapsed() == ()


def test_labels_taken_off_the_sample_are_told_and_no_label_is_touched(bench: Bench) -> None:
    sample, accepted = accept(bench)
    bench.workspace.labeling.remove(sample[:5])
    found = the_lapsed(bench)
    assert (found.label, found.labels) == ("Low", len(accepted)) and bench.labels(Source.CERTIFIED) == len(
        accepted
    )
    assert (found.wrong, found.withdrawn, found.found, found.to_check) == (0, 5, 0, 5)
    assert found.most is not None and found.most > found.allowed
    bench.workspace.labeling.undo()
    assert bench.upholding.lapsed() == ()


def test_items_of_the_sample_found_wrong_are_told(bench: Bench) -> None:
    sample, accepted = accept(bench)
    relabel(bench, sample[:2], "High")
    found = the_lapsed(bench)
    assert (found.wrong, found.withdrawn, found.labels) == (2, 0, len(accepted))
    assert found.to_check == 100 or found.to_check < len(accepted)


def test_files_of_the_sample_that_vanish_take_nothing_back(bench: Bench) -> None:
    """Someone looked at them, and their labels are kept."""
    sample, _ = accept(bench)
    workspace = bench.workspace
    keys = {one.id: one.key for one in workspace.items.get(sample).values()}
    for item in sample[:5]:
        (workspace.config.dataset.directory / keys[item]).unlink()
    workspace.rescan()
    assert bench.upholding.lapsed() == ()


def test_wrong_ones_among_the_accepted_only_count_against(bench: Bench) -> None:
    sample, accepted = accept(bench)
    bench.workspace.labeling.remove(sample[:1])
    before = the_lapsed(bench)
    assert before.most is not None
    relabel(bench, accepted[: before.most], "High")
    after = the_lapsed(bench)
    assert (after.most, after.found, after.labels) == (
        before.most,
        before.most,
        len(accepted) - before.most,
    )
    bench.workspace.labeling.undo()
    bench.workspace.labeling.undo()
    assert bench.upholding.lapsed() == ()
    relabel(bench, accepted[: before.most + 1], "High")  # with all evidence there: the bound is refuted
    assert the_lapsed(bench).most is None
    bench.workspace.labeling.undo()
    relabel(bench, accepted[:60], "Low")  # and right ones are no reason to doubt the others
    assert bench.upholding.lapsed() == ()


def test_looking_again_at_what_was_taken_off_mends_it(bench: Bench) -> None:
    sample, accepted = accept(bench)
    bench.workspace.labeling.remove(sample[:5])
    batch = bench.upholding.check_more(the_lapsed(bench).audit, "me")
    assert set(batch.items) == set(sample[:5]) and batch.label == "Low"
    assert batch.candidates == len(accepted) and batch.scores == pytest.approx([0.99] * 5)
    assert bench.confirming.answer(batch.id, {}).confirmed == 5
    assert bench.upholding.lapsed() == () and bench.audits.spent("Low") == 1


def test_going_on_in_the_order_mends_it_and_spends_a_look(bench: Bench) -> None:
    bench = bench_on(bench.workspace, confidence=0.9)  # of which more than one look is planned
    sample, accepted = accept(bench)
    first = bench.audits.all_accepted()[0]
    relabel(bench, sample[:1], "High")
    shown: list[ItemId] = []
    for _ in range(6):
        if not bench.upholding.lapsed():
            break
        batch = bench.upholding.check_more(the_lapsed(bench).audit, "me")
        assert set(batch.items) <= set(accepted)
        bench.confirming.answer(batch.id, {})
        shown += batch.items
    assert bench.upholding.lapsed() == () and 0 < len(shown) < len(accepted)
    assert set(shown) == set(first.items[len(sample) : len(sample) + len(shown)].tolist())
    assert bench.audits.spent("Low") == 2
    assert bench.labels(Source.CERTIFIED) == len(accepted) - len(shown)


def test_no_look_is_taken_that_a_later_audit_has_spent(bench: Bench) -> None:
    bench = bench_on(bench.workspace, confidence=0.9)
    sample, _ = accept(bench)
    bench.audits.add("Low", 1, 0.9, bench.audits.all_accepted()[0].items)
    relabel(bench, sample[:1], "High")
    while bench.upholding.lapsed():
        batch = bench.upholding.check_more(the_lapsed(bench).audit, "me")
        bench.confirming.answer(batch.id, {})
    assert bench.labels(Source.CERTIFIED) == 0  # each of them was looked at
    assert bench.audits.spent("Low") == 1


def test_taking_them_back_is_one_step_and_can_be_undone(bench: Bench) -> None:
    sample, accepted = accept(bench)
    relabel(bench, sample[:2], "High")
    seen = accepted[0]
    relabel(bench, [seen], "Low")
    audit = the_lapsed(bench).audit
    action, removed = bench.upholding.take_back(audit)
    assert action and removed == len(accepted) - 1 and bench.labels(Source.CERTIFIED) == 0
    assert bench.upholding.lapsed() == () and bench.confirming.counts()["Low"] == removed
    assert [one.item for one in bench.workspace.labels.current([seen])] == [seen]
    with pytest.raises(Conflict) as refused:
        bench.upholding.take_back(audit)
    assert refused.value.code == "nothing_stands"
    assert bench.workspace.labeling.undo().kind == "clear"
    assert bench.labels(Source.CERTIFIED) == removed and the_lapsed(bench).labels == removed


def test_what_is_left_of_the_accepted_is_weighed_by_itself(bench: Bench) -> None:
    """As many may be wrong among fewer labels."""
    _, accepted = accept(bench)
    half = len(accepted) // 2
    bench.workspace.labeling.remove(accepted[:half])
    found = the_lapsed(bench)
    assert (found.removed, found.labels) == (half, len(accepted) - half)
    assert (found.wrong, found.withdrawn, found.found) == (0, 0, 0)
    relabel(bench, accepted[:half], "Low")
    assert bench.upholding.lapsed() == ()


def test_the_later_acceptance_bears_what_was_accepted_twice(bench: Bench) -> None:
    sample, accepted = accept(bench)
    bench.upholding.take_back(bench.audits.all_accepted()[0].id)
    bench.publish()
    relabel(bench, sample[:2], "High")
    again = bench.audits.add("Low", 2, 0.97, bench.audits.all_accepted()[0].items[::-1])
    bench.audits.accept(again, 1, accepted, "annotator")
    bench.workspace.changes.saved(accepted)
    assert [(one.audit, one.labels) for one in bench.upholding.lapsed()] == [(again.id, len(accepted))]


def test_without_an_acceptance_there_is_nothing_to_look_at(bench: Bench) -> None:
    batch = bench.next_batch()
    assert batch.audit is not None and len(batch.items) < N
    with pytest.raises(Conflict):
        bench.upholding.check_more(batch.audit, "me")
    with pytest.raises(NotFound):
        bench.upholding.take_back(99)
