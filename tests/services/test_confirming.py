from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from lightbulb.errors import Conflict, InputError, LabelError, NotFound
from lightbulb.records import Batch, Source
from lightbulb.services.assemble import Workspace
from support import answer, config_for, copy_digits, learn, opened


@pytest.fixture
def sure(digits: Path, truth: Mapping[str, str], tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose model proposes labels (the threshold is low, to have proposals soon)."""
    directory = copy_digits(digits / "digits", tmp_path / "pool", 200)
    with opened(config_for(tmp_path, directory, auto_label={"confidence": 0.6, "batch_size": 10})) as found:
        learn(found)
        answer(found, truth, 60)
        learn(found)
        yield found


def next_batch(workspace: Workspace) -> Batch:
    batch = workspace.confirming.next_batch()
    assert batch is not None
    return batch


def test_a_batch_is_of_one_class_and_over_its_threshold(sure: Workspace) -> None:
    batch = next_batch(sure)
    snapshot = sure.learner.snapshot
    assert snapshot is not None and len(batch.items) <= 10
    column = snapshot.classes.index(batch.label)
    probs = snapshot.probs[snapshot.rows_of(np.array(batch.items))]
    assert (probs.argmax(axis=1) == column).all() and (probs[:, column] >= snapshot.thresholds[column]).all()
    assert batch.candidates == sure.confirming.counts()[batch.label]


def test_confirming_makes_labels_and_tells_them_apart(sure: Workspace) -> None:
    batch = next_batch(sure)
    other = next(name for name in sure.task.classes if name != batch.label)
    done = sure.confirming.answer(batch.id, {batch.items[0]: None, batch.items[1]: other}, seconds=6.0)
    assert (done.confirmed, done.rejected) == (len(batch.items) - 2, 2)
    labels = {one.item: one for one in sure.labels.current(batch.items)}
    assert batch.items[0] not in labels
    assert (labels[batch.items[1]].value, labels[batch.items[1]].source) == (other, Source.HUMAN)
    rest = [labels[item] for item in batch.items[2:]]
    assert {(one.value, one.source) for one in rest} == {(batch.label, Source.CONFIRMED)}
    assert rest[0].seconds == pytest.approx(6.0 / len(batch.items))
    assert (done.audit.audited, done.audit.wrong) == (len(batch.items), 2)


def test_what_a_person_refused_is_not_proposed_so_again_but_asked_soon(sure: Workspace) -> None:
    batch = next_batch(sure)
    refused = batch.items[0]
    sure.confirming.answer(batch.id, {refused: None})
    proposals = sure.confirming.proposals()
    assert proposals is not None
    again = dict(zip(proposals.item_ids.tolist(), proposals.labels.tolist(), strict=True))
    assert again.get(refused) != sure.task.classes.index(batch.label)
    view = sure.catalog.view
    if not view.held_out[view.positions([refused])[0]]:
        assert refused in [one.item for one in sure.asking.next_questions(3, client="q")[0]]


def test_one_undo_takes_the_whole_batch_back(sure: Workspace) -> None:
    before = int(sure.catalog.view.labelled.sum())
    batch = next_batch(sure)
    sure.confirming.answer(batch.id, {batch.items[0]: None})
    undone = sure.labeling.undo()
    assert set(undone.items) == set(batch.items)
    assert int(sure.catalog.view.labelled.sum()) == before
    assert len(sure.catalog.view.barred_items) == 0
    proposals = sure.confirming.proposals()
    assert proposals is not None and set(batch.items) <= set(proposals.item_ids.tolist())


def test_unconfirmed_proposals_are_no_labels(sure: Workspace) -> None:
    batch = next_batch(sure)
    exported = {key for key, _ in sure.labels.export_rows()}
    assert not exported & set(batch.keys)


def test_the_same_batch_again_until_it_is_answered(sure: Workspace) -> None:
    assert next_batch(sure) == next_batch(sure)
    other = sure.confirming.next_batch(client="someone else")
    assert other is not None and other.id != next_batch(sure).id


def test_an_item_labelled_meanwhile_keeps_its_label(sure: Workspace, truth: Mapping[str, str]) -> None:
    from lightbulb.records import Answer

    batch = next_batch(sure)
    other = next(name for name in sure.task.classes if name != batch.label)
    sure.labeling.save([Answer(batch.items[0], other)])
    done = sure.confirming.answer(batch.id, {})
    assert done.confirmed == len(batch.items) - 1
    assert sure.labels.current([batch.items[0]])[0].value == other


def test_a_batch_set_aside_calls_back_and_brings_a_new_model_though_no_label_changed(sure: Workspace) -> None:
    before = sure.learner.snapshot
    batch = next_batch(sure)
    labels = sure.catalog.view.labels.copy()
    sure.confirming.answer(batch.id, dict.fromkeys(batch.items))
    assert np.array_equal(sure.catalog.view.labels, labels)
    assert sure.confirming.next_batch() is None, "all proposals of that model are called back"
    assert before is not None and sure.learner.step()
    after = sure.learner.snapshot
    assert after is not None and after.version == before.version + 1
    index = sure.task.classes.index(batch.label)
    assert after.thresholds[index] > before.thresholds[index]
    refused = set(batch.items)
    again = sure.confirming.next_batch()
    assert again is None or again.label != batch.label or not refused & set(again.items)


def test_bad_answers_change_nothing(sure: Workspace) -> None:
    batch = next_batch(sure)
    before = int(sure.catalog.view.labelled.sum())
    with pytest.raises(NotFound):
        sure.confirming.answer(9999, {})
    with pytest.raises(InputError, match="not in batch"):
        sure.confirming.answer(batch.id, {123456: None})
    with pytest.raises(LabelError, match="not a class"):
        sure.confirming.answer(batch.id, {batch.items[0]: "eleven"})
    with pytest.raises(InputError, match="at once"):
        sure.confirming.answer(batch.id, {batch.items[0]: batch.label})
    assert int(sure.catalog.view.labelled.sum()) == before
    sure.confirming.answer(batch.id, {})
    with pytest.raises(Conflict):
        sure.confirming.answer(batch.id, {})


def test_no_model_no_proposals(workspace: Workspace) -> None:
    assert workspace.confirming.next_batch() is None
    assert set(workspace.confirming.counts().values()) == {0}
