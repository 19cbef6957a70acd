from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lightbulb.items.folder import FoundFile
from lightbulb.records import Item
from lightbulb.store.database import Database
from lightbulb.store.items import GONE, Holdout, ItemStore

FIFTH = Holdout(0.2, 300, 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ItemStore]:
    database = Database(f"sqlite:///{tmp_path / 'labels.db'}")
    yield ItemStore(database)
    database.close()


def files(count: int, start: int = 0) -> list[FoundFile]:
    return [FoundFile(f"{n:04d}.png", 10, 1) for n in range(start, start + count)]


def by_key(store: ItemStore) -> dict[str, Item]:
    return {item.key: item for item in store.all()}


def test_ids_stay_when_a_file_goes_and_comes_back(store: ItemStore) -> None:
    store.sync(files(3), FIFTH)
    before = by_key(store)["0001.png"].id
    assert store.sync(files(1), FIFTH).vanished == 2
    assert by_key(store)["0001.png"].broken == GONE
    changes = store.sync(files(4), FIFTH)
    assert (changes.added, changes.restored, changes.changed, changes.vanished) == (1, 2, 0, 0)
    assert by_key(store)["0001.png"].id == before and by_key(store)["0001.png"].broken is None


def test_a_changed_file_is_to_be_read_again(store: ItemStore) -> None:
    store.sync(files(2), FIFTH)
    item = by_key(store)["0000.png"]
    store.set_contents({item.id: "ab" * 32}, {by_key(store)["0001.png"].id: "damaged"})
    assert store.sync(files(2), FIFTH).changed == 0
    assert by_key(store)["0000.png"].content == "ab" * 32 and by_key(store)["0001.png"].broken == "damaged"
    assert store.sync([FoundFile("0000.png", 10, 2), FoundFile("0001.png", 11, 1)], FIFTH).changed == 2
    assert by_key(store)["0000.png"].content is None and by_key(store)["0001.png"].broken is None


def test_what_was_found_broken_is_not_mended_by_an_earlier_reading(store: ItemStore) -> None:
    store.sync(files(1), FIFTH)
    (item,) = store.all()
    store.set_contents({}, {item.id: "gone meanwhile"})
    store.set_contents({item.id: "ab" * 32}, {})
    assert store.all()[0].broken == "gone meanwhile" and store.all()[0].content is None


def test_the_same_path_twice_is_one_item(store: ItemStore) -> None:
    assert store.sync([*files(2), *files(2)], FIFTH).added == 2


def test_a_fifth_is_held_out_the_lowest_draws(store: ItemStore) -> None:
    store.sync(files(200), FIFTH)
    items = sorted(store.all(), key=lambda item: item.draw)
    assert [item.held_out for item in items] == [True] * 40 + [False] * 160


def test_no_more_than_the_most(store: ItemStore) -> None:
    store.sync(files(200), Holdout(0.2, 15, 0))
    assert sum(item.held_out for item in store.all()) == 15


def test_even_a_tiny_pool_measures_something(store: ItemStore) -> None:
    store.sync(files(2), FIFTH)
    assert sum(item.held_out for item in store.all()) == 1


def test_what_was_open_to_the_strategy_is_never_held_out_later(store: ItemStore) -> None:
    store.sync(files(50), FIFTH)
    open_before = {item.key for item in store.all() if not item.held_out}
    store.sync(files(1000), FIFTH)
    after = by_key(store)
    assert not any(after[key].held_out for key in open_before)
    assert 120 < sum(item.held_out for item in after.values()) < 280


def test_what_was_measured_on_stays_held_out(store: ItemStore) -> None:
    few = Holdout(0.2, 10, 0)
    store.sync(files(50), few)
    held_out = sorted(item.draw for item in store.all() if item.held_out)
    store.sync(files(2000), few, frontier=held_out[4])
    assert {item.draw for item in store.all() if item.held_out} >= set(held_out[:5])


def test_the_draw_depends_on_seed_and_name_alone() -> None:
    assert (
        Holdout(0.2, 9, 1).draw("a.png")
        == Holdout(0.5, 2, 1).draw("a.png")
        != Holdout(0.2, 9, 2).draw("a.png")
    )
    draws = [FIFTH.draw(f"{n}") for n in range(2000)]
    assert min(draws) >= 0 and max(draws) < 1 and abs(sum(draws) / 2000 - 0.5) < 0.03
