"""Audits from the first batch to accepting the rest, on a model whose mistakes the test decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit_bench import CLASSES, Bench, N, certify
from lightbulb.autolabel.certify import plan_looks
from lightbulb.errors import Conflict, LabelError
from lightbulb.records import Answer, Source
from lightbulb.services import auditing
from lightbulb.services.auditing import Auditing
from lightbulb.store.labels import ImportedLabel


def test_a_clean_audit_ends_with_accepting_the_rest_in_one_step(bench: Bench) -> None:
    first = bench.next_batch()
    assert len(first.items) == 100 and first.candidates == N
    done = bench.review(first)
    assert not done.audit.certified and done.audit.bound is None and done.audit.needed
    with pytest.raises(Conflict, match="does not certify") as refused:
        bench.confirming.accept_rest(first.id)
    assert refused.value.code == "not_certified"
    second = bench.next_batch()
    assert len(second.items) == done.audit.needed  # no more looking than it takes
    done = bench.review(second)
    assert done.audit.certified and done.audit.wrong == 0
    assert done.audit.bound is not None and done.audit.bound <= 0.03
    assert done.audit.rest == N - done.audit.audited
    _, accepted = bench.confirming.accept_rest(first.id)
    assert accepted == done.audit.rest == bench.labels(Source.CERTIFIED)
    assert bench.labels(Source.CONFIRMED) == done.audit.audited
    view = bench.workspace.catalog.view
    assert view.labelled.all() and not (view.certified & (view.teaching | view.measured)).any()


def test_accepting_is_one_undo_step_and_can_be_done_again(bench: Bench) -> None:
    batch = bench.next_batch()
    bench.review(batch)
    rest = certify(bench).audit.rest
    bench.confirming.accept_rest(batch.id)
    with pytest.raises(Conflict) as refused:
        bench.confirming.accept_rest(batch.id)
    assert refused.value.code == "accepted_already"
    undone = bench.workspace.labeling.undo()
    assert undone.kind == "accept" and len(undone.items) == rest
    assert bench.labels(Source.CERTIFIED) == 0
    assert bench.confirming.accept_rest(batch.id)[1] == rest


def test_what_the_present_model_denies_is_not_accepted(bench: Bench) -> None:
    batch = bench.next_batch()
    rest = certify(bench).audit.rest
    unlabelled = [
        int(item) for item in bench.workspace.catalog.view.ids[bench.workspace.catalog.view.askable]
    ]
    bench.publish(disagrees=unlabelled[:3])
    assert bench.confirming.accept_rest(batch.id)[1] == rest - 3
    assert set(unlabelled[:3]) == set(
        bench.workspace.catalog.view.ids[bench.workspace.catalog.view.askable].tolist()
    )


def test_when_too_little_is_left_of_the_set_the_bound_no_longer_suffices(bench: Bench) -> None:
    batch = bench.next_batch()
    certify(bench)
    view = bench.workspace.catalog.view
    some = [int(item) for item in view.ids[view.askable]][:150]
    bench.workspace.labeling.save([Answer(item, "Low") for item in some])
    with pytest.raises(Conflict, match="does not certify"):
        bench.confirming.accept_rest(batch.id)


def test_a_wrong_one_takes_more_looking(bench: Bench) -> None:
    first = bench.next_batch()
    bench.wrong = {first.keys[0]}
    needed = bench.review(first).audit.needed
    assert needed is None or needed > 100


def test_a_failed_audit_calls_back_all_proposals_of_the_model_until_it_is_undone(bench: Bench) -> None:
    first = bench.next_batch()
    bench.wrong = set(first.keys[:12])
    assert bench.review(first).rejected == 12
    assert sum(bench.confirming.counts().values()) == 0
    assert bench.confirming.next_batch(label="Low") is None
    assert bench.workspace.catalog.view.doubts.tolist() == [1, 0]
    with pytest.raises(Conflict) as refused:
        bench.confirming.accept_rest(first.id)
    assert refused.value.code == "called_back"
    bench.workspace.labeling.undo()
    assert bench.confirming.counts()["Low"] == N
    assert bench.workspace.catalog.view.doubts.tolist() == [0, 0]


def test_the_next_model_proposes_again_with_a_fresh_audit(bench: Bench) -> None:
    first = bench.next_batch()
    bench.wrong = set(first.keys[:12])
    bench.review(first)
    bench.publish()
    again = bench.next_batch()
    assert again.audit is not None and again.audit != first.audit
    assert again.candidates == N - 100 and not set(again.items) & set(first.items)


def test_clean_batches_take_a_doubt_away(bench: Bench) -> None:
    first = bench.next_batch()
    bench.wrong = set(first.keys[:12])
    bench.review(first)
    bench.publish()
    bench.review()
    assert bench.workspace.catalog.view.doubts.tolist() == [0, 0]


def test_a_look_stays_spent_when_it_is_undone(bench: Bench) -> None:
    bench.next_batch()
    certify(bench)
    assert bench.audits.spent("Low") == 1
    bench.workspace.labeling.undo()
    bench.workspace.labeling.undo()
    assert bench.audits.spent("Low") == 1
    assert bench.audits.spent("High") == 0


def test_a_look_that_came_about_without_a_batch_is_spent_as_well(bench: Bench) -> None:
    """Else one could label the shown items on the Dataset page, see what is offered, take the labels off, and
    try again as often as it takes, each time with the share of the risk that the first look has."""
    workspace, shown = bench.workspace, []
    while not bench.auditing.certificates():
        batch = bench.next_batch()
        shown += list(batch.items)
        workspace.labeling.save_together([Answer(item, "Low") for item in batch.items])
    first = batch.audit
    assert first is not None
    workspace.labeling.remove(shown)
    assert bench.auditing.certificates() == []
    bench.publish()
    second = bench.next_batch().audit
    assert second is not None and second != first
    assert bench.audits.get(second).spent == bench.audits.get(first).looks == 1


def test_a_batch_answered_after_the_acceptance_spends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is labelled by then, so all points of the order seem to be reached."""
    (first,) = plan_looks(N, 0.97, spent=0)
    looks = (first, replace(first, at=first.at + 50, wrong=1), replace(first, at=first.at + 100, wrong=2))
    monkeypatch.setattr(auditing, "plan_looks", lambda *_, **__: looks)
    late = bench.next_batch("late")
    while not bench.auditing.certificates():
        batch = bench.next_batch()
        bench.review(batch)
        bench.workspace.labeling.save_together([Answer(item, "Low") for item in late.items])
    (found,) = bench.auditing.certificates()
    bench.confirming.accept_rest(found.batch)
    before = bench.audits.spent("Low")
    bench.confirming.answer(late.id, {})
    assert bench.audits.spent("Low") == before < len(looks)


def test_an_unbegun_audit_makes_way_for_the_next_model(bench: Bench) -> None:
    first = bench.next_batch()
    bench.publish()
    assert bench.next_batch().audit != first.audit
    bench.review()
    begun = bench.next_batch().audit
    bench.publish()
    assert bench.next_batch().audit == begun


def test_two_reviewers_never_see_the_same_items(bench: Bench) -> None:
    mine, theirs = bench.next_batch("me"), bench.next_batch("you")
    assert mine.audit == theirs.audit and not set(mine.items) & set(theirs.items)
    bench.review(theirs)
    assert bench.audits.get(theirs.audit or 0).looks == 0  # a gap where mine are: not a sample yet
    done = bench.review(mine)
    assert done.audit.audited == len(mine.items) + len(theirs.items)


def test_small_sets_are_confirmed_without_an_audit(bench: Bench) -> None:
    view = bench.workspace.catalog.view
    bench.workspace.labeling.save([Answer(int(item), "Low") for item in view.ids[:300]])
    batch = bench.next_batch()
    assert batch.audit is None and batch.candidates == N - 300
    bench.review(batch)
    with pytest.raises(Conflict, match="too few"):
        bench.confirming.accept_rest(batch.id)


def test_items_are_looked_at_in_a_random_order(bench: Bench) -> None:
    """The first hundred of 420 hold about a quarter of the first hundred by id, not all or none of them."""
    ids = bench.workspace.catalog.view.ids[:100]
    assert 10 < len(set(bench.next_batch().items) & set(ids.tolist())) < 40


def test_an_audit_that_another_one_followed_stays_ended_whatever_is_undone(bench: Bench) -> None:
    """Else the two would spend the same part of the risk."""
    first = bench.next_batch()
    bench.wrong = set(first.keys[:12])
    bench.review(first)
    bench.publish()
    second = bench.next_batch()
    assert second.audit != first.audit
    bench.workspace.labeling.undo()  # the batch that failed the first audit
    running = bench.audits.running("Low")
    assert running is not None and running.id == second.audit
    bench.audits.end(running.id)
    assert bench.audits.running("Low") is None


def test_what_was_called_back_is_not_shown_again_to_whom_it_was_open(bench: Bench) -> None:
    mine, theirs = bench.next_batch("me"), bench.next_batch("you")
    bench.wrong = set(theirs.keys[:12])
    bench.review(theirs)
    assert bench.confirming.next_batch(client="me", label="Low") is None
    assert bench.confirming.answer(mine.id, {}).confirmed == len(mine.items)  # seen is seen
    assert bench.confirming.audit_of(mine).certified is False


def test_the_accuracy_is_measured_up_to_the_first_certified_held_out_item(bench: Bench) -> None:
    workspace = bench.workspace
    view = workspace.catalog.view
    order = [int(view.ids[at]) for at in np.flatnonzero(view.held_out)[np.argsort(view.draws[view.held_out])]]
    workspace.labeling.save([Answer(item, "Low") for item in order[:10]])
    assert int(workspace.catalog.view.measured.sum()) == 10
    batch = bench.next_batch()
    certify(bench)
    bench.confirming.accept_rest(batch.id)
    view = workspace.catalog.view
    certified = [item for item in order if view.certified[view.positions([item])[0]]]
    assert certified
    workspace.labeling.save([Answer(order[-1], "Low")])  # the frontier moves past all of them
    view = workspace.catalog.view
    measured = set(view.ids[view.measured].tolist())
    assert measured == set(order[: order.index(certified[0])])


def held_out_in_order(bench: Bench) -> list[int]:
    view = bench.workspace.catalog.view
    return [int(view.ids[at]) for at in np.flatnonzero(view.held_out)[np.argsort(view.draws[view.held_out])]]


def test_a_relabelled_answer_still_says_how_far_the_questions_came(bench: Bench) -> None:
    workspace, order = bench.workspace, held_out_in_order(bench)

    def measured() -> set[int]:
        view = workspace.catalog.view
        assert workspace.labels.frontier(CLASSES) == view.frontier
        return set(view.ids[view.measured].tolist())

    workspace.labeling.save([Answer(item, "Low") for item in order[:10]])
    workspace.labeling.save_together([Answer(item, "High") for item in order[8:10]])
    assert measured() == set(order[:10])
    workspace.labels.record_import([ImportedLabel(order[9], "Low", Source.CONFIRMED, None, None)], "me")
    workspace.catalog.refresh([order[9]])
    assert measured() == set(order[:10])
    workspace.labeling.remove(order[7:10])
    assert measured() == set(order[:7])
    # Labelled again otherwise, they are not asked about: only what is surely right might be.
    workspace.labeling.save_together([Answer(item, "Low") for item in order[7:10]])
    assert measured() == set(order[:7])
    workspace.labeling.undo()
    workspace.labeling.undo()
    assert measured() == set(order[:10])
    workspace.labeling.save([Answer(order[10], None)])
    assert measured() == set(order[:10])


def test_deleting_the_wrong_ones_does_not_delete_the_evidence(bench: Bench) -> None:
    directory = bench.workspace.config.dataset.directory
    bench.wrong = {f"{index:04}.png" for index in range(25)}
    junk = 0
    for _ in range(3):
        batch = bench.confirming.next_batch(label="Low")
        if batch is None:
            break
        keys = dict(zip(batch.items, batch.keys, strict=True))
        refused = [item for item in batch.items if keys[item] in bench.wrong]
        done = bench.confirming.answer(batch.id, dict.fromkeys(refused))
        junk += len(refused)
        for item in refused:
            (directory / keys[item]).unlink()
        bench.workspace.rescan()
        bench.publish()
        assert bench.confirming.audit_of(batch).wrong == done.audit.wrong
        assert not bench.confirming.audit_of(batch).certified
    assert junk


def test_files_that_vanish_from_an_open_batch_count_as_wrong(bench: Bench) -> None:
    batch = bench.next_batch()
    for key in batch.keys[:5]:
        (bench.workspace.config.dataset.directory / key).unlink()
    bench.workspace.rescan()
    done = bench.confirming.answer(batch.id, {})
    assert done.confirmed == 95
    audit = bench.confirming.audit_of(batch)
    assert audit.audited == 100 and audit.wrong == 5


def test_what_another_audit_accepted_is_no_evidence_for_this_one(bench: Bench) -> None:
    """Items of the set that were accepted as High: nobody looked, so they take nothing off the bound."""
    batch = bench.next_batch()
    done = certify(bench)
    before = done.audit.bound
    assert before is not None
    left = [int(item) for item in bench.workspace.catalog.view.ids[bench.workspace.catalog.view.askable]]
    other = bench.audits.add("High", 1, 0.97, np.array(left[:7]))
    bench.audits.accept(other, 0, left[:7], "annotator")
    bench.workspace.changes.saved(left[:7])
    after = bench.confirming.audit_of(batch)
    assert after.rest == done.audit.rest - 7 and after.bound is not None and after.bound >= before


def test_a_higher_confidence_asks_for_a_new_audit(bench: Bench) -> None:
    batch = bench.next_batch()
    rest = certify(bench).audit.rest
    strict = Auditing(
        bench.audits, bench.workspace.batches, bench.workspace.catalog, lambda: bench.snapshot,
        confidence=0.999, rng=np.random.default_rng(5),
    )  # fmt: skip
    assert rest and not strict.of_batch(batch).certified
    with pytest.raises(Conflict):
        strict.accept(batch, "annotator")


def test_a_person_who_looks_counts_for_more_than_a_certificate(bench: Bench) -> None:
    mine = bench.next_batch("a")
    bench.review(mine)
    last = bench.next_batch("a")
    open_one = bench.next_batch("c")
    assert not set(last.items) & set(open_one.items)
    done = bench.review(last)
    assert done.audit.certified
    bench.confirming.accept_rest(mine.id)
    assert bench.workspace.catalog.view.labelled.all()
    set_aside, renamed = open_one.items[:2]
    answered = bench.confirming.answer(open_one.id, {set_aside: None, renamed: "High"})
    assert answered.confirmed == len(open_one.items) - 2 and answered.rejected == 2
    view = bench.workspace.catalog.view
    at = view.positions([set_aside, renamed])
    assert view.labels[at].tolist() == [-1, 1]
    assert bench.labels(Source.CERTIFIED) == done.audit.rest - len(open_one.items)
    bench.workspace.labeling.undo()
    assert bench.workspace.catalog.view.labels[at].tolist() == [0, 0]


def test_an_old_export_taken_in_again_overrides_nobody_who_looked(bench: Bench) -> None:
    batch = bench.next_batch()
    refused, corrected, confirmed = batch.items[:3]
    bench.confirming.answer(batch.id, {refused: None, corrected: "High"})
    untouched = next(int(item) for item in bench.workspace.catalog.view.ids if item not in batch.items)
    before = bench.auditing.of_batch(batch)
    taken_in = [refused, corrected, confirmed, untouched]
    rows = [ImportedLabel(item, "Low", Source.CERTIFIED, None, None) for item in taken_in]
    assert (
        bench.workspace.labels.record_import(rows, "annotator") == 2
    )  # of which the refused one is not in force
    bench.workspace.catalog.reload()
    found = {one.item: (one.value, one.source) for one in bench.workspace.labels.current(taken_in)}
    assert found == {
        corrected: ("High", Source.HUMAN),
        confirmed: ("Low", Source.CONFIRMED),
        untouched: ("Low", Source.CERTIFIED),
    }
    after = bench.auditing.of_batch(batch)
    assert (after.audited, after.wrong) == (before.audited, before.wrong) == (100, 2)


def test_a_model_that_did_not_know_of_a_recall_proposes_nothing(bench: Bench) -> None:
    bench.wrong = {f"{index:04}.png" for index in range(200)}
    bench.review()
    late = replace(bench.snapshot, version=bench.snapshot.version + 1)  # was being fitted meanwhile
    bench.snapshot = late
    assert bench.confirming.next_batch(label="Low") is None and not any(bench.confirming.counts().values())


def test_a_third_reviewer_gets_a_full_batch(bench: Bench) -> None:
    bench.review(bench.next_batch("a"))
    needed = bench.confirming.audit_of(bench.workspace.batches.get(1)).needed
    assert needed is not None and len(bench.next_batch("b").items) == needed
    assert len(bench.next_batch("c").items) == 100


def test_a_batch_of_a_class_that_is_gone_is_refused_and_nothing_saved(bench: Bench) -> None:
    batch = bench.next_batch()
    bench.confirming._task = type(bench.workspace.task)(("Few", "High"))
    with pytest.raises(LabelError, match="Low"):
        bench.confirming.answer(batch.id, {})
    assert bench.labels(Source.CONFIRMED) == 0


def test_labels_of_a_class_that_is_gone_give_way_to_a_confirmation(bench: Bench) -> None:
    first = bench.next_batch()
    confirmed = bench.workspace.batches.answer(first, {}, "annotator", seconds=None, classes=("Low", "High"))[
        1
    ]
    assert len(confirmed) == 100
    again = bench.workspace.batches.get(
        bench.workspace.batches.add(replace(first, audit=None), threshold=0.9, client="x")
    )
    kept = bench.workspace.batches.answer(again, {}, "annotator", seconds=None, classes=("Low", "High"))[1]
    assert kept == []
    third = bench.workspace.batches.get(
        bench.workspace.batches.add(replace(first, audit=None, label="High"), threshold=0.9, client="x")
    )
    assert (
        len(bench.workspace.batches.answer(third, {}, "annotator", seconds=None, classes=("High",))[1]) == 100
    )


def test_the_accuracy_is_not_moved_by_clicking_a_held_out_item_early(bench: Bench) -> None:
    view = bench.workspace.catalog.view
    held_out = np.flatnonzero(view.held_out)
    order = held_out[np.argsort(view.draws[held_out])]
    bench.workspace.labeling.save([Answer(int(view.ids[at]), "Low") for at in order[:5]])
    assert int(bench.workspace.catalog.view.measured.sum()) == 5
    easy = [int(view.ids[at]) for at in order[7:-1]]
    bench.workspace.labels.record_import(
        [ImportedLabel(item, "Low", Source.CONFIRMED, None, None) for item in easy], "annotator"
    )
    bench.workspace.labeling.save([Answer(int(view.ids[order[-1]]), "High")])
    bench.workspace.catalog.reload()
    assert int(bench.workspace.catalog.view.measured.sum()) == 5
    bench.workspace.labeling.save([Answer(int(view.ids[at]), "Low") for at in order[5:7]])
    assert int(bench.workspace.catalog.view.measured.sum()) == len(order)


def test_a_certificate_is_found_though_the_model_proposes_nothing_any_more(bench: Bench) -> None:
    """As after a reload of the page, when no batch of the class leads to it."""
    assert bench.auditing.certificates() == []
    first = bench.next_batch()
    bench.review(first)
    assert bench.auditing.certificates() == []  # more to look at
    rest = certify(bench).audit.rest
    bench.snapshot = replace(bench.snapshot, version=2, thresholds=np.full(2, 2.0, dtype=np.float32))
    assert bench.confirming.next_batch(label="Low") is None
    (found,) = bench.auditing.certificates()
    assert found.label == "Low" and found.audit.certified and found.audit.rest == rest
    assert bench.confirming.accept_rest(found.batch)[1] == rest
    assert bench.auditing.certificates() == []
    bench.workspace.labeling.undo()
    assert bench.auditing.certificates() == [found]


def test_a_certificate_whose_evidence_is_taken_back_is_offered_no_more(bench: Bench) -> None:
    bench.next_batch()
    certify(bench)
    bench.workspace.labeling.undo()
    assert bench.auditing.certificates() == []


def test_what_comes_next_is_known_ahead(bench: Bench) -> None:
    """Of the audit's order: the pictures that the page fetches early are those it shows then."""
    first = bench.next_batch()
    ahead = bench.auditing.ahead(first, 100, "")
    assert len(ahead) == len(first.items) and not set(ahead) & set(first.items)
    bench.review(first)
    second = bench.next_batch()
    assert set(second.items) == set(ahead[: len(second.items)])


def test_nothing_is_known_ahead_that_another_has_before_them(bench: Bench) -> None:
    mine = bench.next_batch("me")
    theirs = bench.next_batch("you")
    assert not set(bench.auditing.ahead(mine, 100, "me")) & set(theirs.items)
    assert bench.auditing.ahead(replace(mine, audit=None), 100, "me") == []


def test_labels_of_a_file_that_names_no_source_are_nobodys_look(bench: Bench) -> None:
    """In the sample they count as wrong; beyond it they say nothing of the set."""
    batch = bench.next_batch()
    rows = [ImportedLabel(item, "Low", Source.IMPORTED, None, None) for item in batch.items]
    bench.workspace.labels.record_import(rows, "annotator")
    bench.workspace.catalog.reload()
    audit = bench.auditing.of_batch(batch)
    assert (audit.audited, audit.wrong, audit.certified) == (100, 100, False)
    done = bench.confirming.answer(batch.id, {})  # a person looks after all
    assert (done.confirmed, done.audit.audited, done.audit.wrong) == (100, 100, 0)
    said = [ImportedLabel(item, "Low", Source.HUMAN, "ann", None) for item in batch.items]
    bench.workspace.labels.record_import(said, "annotator")
    bench.workspace.catalog.reload()
    assert bench.auditing.of_batch(batch).wrong == 0
