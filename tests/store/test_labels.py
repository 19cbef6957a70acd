"""Append-only, undoable, idempotent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, event, func, select

from lightbulb.errors import Conflict, NotFound, StoreError
from lightbulb.items.folder import FoundFile
from lightbulb.records import Answer, Batch, Source
from lightbulb.store.batches import BatchStore
from lightbulb.store.database import Database
from lightbulb.store.items import Holdout, ItemStore
from lightbulb.store.labels import LabelStore
from lightbulb.store.schema import actions, labels, metadata

ANYONE = Holdout(0.2, 300, 0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'out' / 'labels.db'}")
    ItemStore(opened).sync([FoundFile(f"{n}.png", 1, 1) for n in range(1, 7)], ANYONE)
    yield opened
    opened.close()


def values(store: LabelStore) -> dict[int, str]:
    return {label.item: label.value for label in store.current()}


def count(database: Database, table: object) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def test_the_migrations_make_the_schema(tmp_path: Path, database: Database) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'out' / 'labels.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_one_writing_process_at_a_time(tmp_path: Path, database: Database) -> None:
    url = f"sqlite:///{tmp_path / 'out' / 'labels.db'}"
    with pytest.raises(StoreError, match="in use by another"):
        Database(url)
    Database(url, exclusive=False).close()
    database.close()
    Database(url).close()


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////proc/nowhere/x.db", "mysql+nosuch://x/y"])
def test_a_database_that_cannot_be_opened(url: str) -> None:
    with pytest.raises(StoreError, match=r"storage\.database"):
        Database(url)


def test_undo_brings_the_label_before_back_and_deletes_nothing(database: Database) -> None:
    store = LabelStore(database)
    store.record([Answer(1, "A")], "me")
    store.record([Answer(1, "B")], "me")
    assert values(store) == {1: "B"}
    store.undo("me")
    assert values(store) == {1: "A"}
    store.undo("me")
    assert values(store) == {}
    with pytest.raises(Conflict):
        store.undo("me")
    assert count(database, labels) == 2 and count(database, actions) == 4


def test_answers_sent_together_are_undone_one_by_one(database: Database) -> None:
    store = LabelStore(database)
    store.record([Answer(1, "A"), Answer(2, "B")], "me")
    assert store.undo("me").items == (2,)
    assert values(store) == {1: "A"}


def test_only_ones_own_answers_are_undone(database: Database) -> None:
    store = LabelStore(database)
    store.record([Answer(1, "A")], "me")
    store.record([Answer(2, "B")], "you")
    assert store.undo("me").items == (1,)
    assert values(store) == {2: "B"}


def test_a_skip_labels_nothing_and_is_undone_like_an_answer(database: Database) -> None:
    store = LabelStore(database)
    store.record([Answer(3, None)], "me")
    assert values(store) == {} and list(store.skips()) == [3]
    store.undo("me")
    assert store.skips() == {}


def test_twice_the_same_client_id(database: Database) -> None:
    store = LabelStore(database)
    first = store.record([Answer(1, "A", client_id="x")], "me")
    assert store.record([Answer(1, "A", client_id="x")], "me") == first
    assert count(database, labels) == 1
    with pytest.raises(Conflict, match="another answer"):
        store.record([Answer(1, "B", client_id="x")], "me")


def test_an_unknown_item_among_them_saves_none(database: Database) -> None:
    store = LabelStore(database)
    with pytest.raises(NotFound, match="99"):
        store.record([Answer(1, "A"), Answer(99, "A")], "me")
    assert count(database, labels) == 0 and count(database, actions) == 0


def test_what_was_given_twice_is_looked_for_once_after_each_action(database: Database) -> None:
    store = LabelStore(database)
    through_all: list[str] = []

    def heard(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "HAVING count" in statement:
            through_all.append(statement)

    event.listen(database._engine, "before_cursor_execute", heard)
    store.record([Answer(1, "Cat", 1.0), Answer(2, "Cat", 1.0)], "me")
    assert store.given_twice() == set() == store.given_twice()
    store.record([Answer(1, "Cat", 1.0), Answer(2, "Dog", 1.0)], "me")
    assert store.given_twice() == {1} == store.given_twice()
    store.undo("me")
    store.undo("me")
    assert store.given_twice() == set()
    assert len(through_all) == 3


def test_pace_is_the_median_of_recent_labels(database: Database) -> None:
    store = LabelStore(database)
    assert store.pace() is None
    store.record(
        [Answer(1, "A", 1.0), Answer(2, "A", 2.0), Answer(3, "A", 90.0), Answer(4, None, 500.0)], "me"
    )
    assert store.pace() == 2.0


def batch_of(database: Database, *items: int) -> Batch:
    store = BatchStore(database)
    batch = Batch(0, "A", 1, 40, items, tuple(f"{item}.png" for item in items), tuple(0.98 for _ in items))
    return store.get(store.add(batch, threshold=0.97, client="tab"))


def test_a_batch_is_one_step(database: Database) -> None:
    store, batches = LabelStore(database), BatchStore(database)
    store.record([Answer(4, "B")], "you")
    batch = batch_of(database, 1, 2, 3, 4)
    _, confirmed = batches.answer(batch, {2: None, 3: "B"}, "me", seconds=None, classes=("A", "B"))
    assert confirmed == [1]
    assert values(store) == {1: "A", 3: "B", 4: "B"}
    assert {label.item: label.source for label in store.current()}[1] == Source.CONFIRMED
    assert sorted(batches.rejections()) == [(2, "A"), (3, "A")]
    with pytest.raises(Conflict, match="answered already"):
        batches.answer(batch, {}, "me", seconds=None, classes=("A", "B"))
    store.undo("me")
    assert values(store) == {4: "B"} and batches.rejections() == []


def test_an_open_batch_belongs_to_its_client_and_model(database: Database) -> None:
    batches = BatchStore(database)
    batch = batch_of(database, 1, 2)
    assert batches.last_open("tab", 1) == batch.id
    assert batches.last_open("other", 1) is None and batches.last_open("tab", 2) is None
    batches.answer(batch, {}, "me", seconds=None, classes=("A", "B"))
    assert batches.last_open("tab", 1) is None
