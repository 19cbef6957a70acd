"""Flags are rows that stay; an item's last one counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from lightbulb.items.folder import FoundFile
from lightbulb.store.database import Database
from lightbulb.store.flags import FlagStore
from lightbulb.store.items import Holdout, ItemStore
from lightbulb.store.schema import flags


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'labels.db'}")
    ItemStore(opened).sync([FoundFile(f"{n}.png", 1, 1) for n in range(1, 4)], Holdout(0.2, 300, 0))
    yield opened
    opened.close()


def test_the_last_row_of_an_item_counts_and_none_is_deleted(database: Database) -> None:
    store = FlagStore(database)
    store.put(1, "blurred", "ann")
    store.put(2, "", "ann")
    store.put(1, "very blurred", "bob")
    store.put(3, "odd", "ann")
    store.take_off(3, "bob")
    assert {item: (flag.note, flag.annotator) for item, flag in store.current().items()} == {
        1: ("very blurred", "bob"),
        2: ("", "ann"),
    }
    store.put(3, "odd again", "ann")
    assert store.current()[3].note == "odd again"
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(flags)).scalar_one() == 6


def test_flags_survive_a_restart(tmp_path: Path, database: Database) -> None:
    put = FlagStore(database).put(2, "why?", "ann")
    database.close()
    again = Database(f"sqlite:///{tmp_path / 'labels.db'}")
    assert FlagStore(again).current() == {2: put}
    again.close()
