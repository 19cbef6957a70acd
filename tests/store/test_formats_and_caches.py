"""Embeddings, models and tables of labels on disk, through crashes and damage."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from lightbulb.errors import InputError, StoreError
from lightbulb.records import Label, Source
from lightbulb.store import embeddings
from lightbulb.store.embeddings import EmbeddingCache, RowsByHash, as_hashes
from lightbulb.store.formats.csv_table import CsvTable
from lightbulb.store.models import ModelFolder, versions_to_keep


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 4)).astype(np.float16)


def keys(*numbers: int) -> list[str]:
    return [f"{number:064x}" for number in numbers]


def test_embeddings_come_back_after_reopening(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "f", 4)
    cache.append(keys(1, 2), vectors(2))
    cache.append(keys(3), vectors(1, 1))
    again = EmbeddingCache(tmp_path, "f", 4)
    assert again.rows(keys(3, 9, 1)).tolist() == [2, -1, 0]
    np.testing.assert_array_equal(
        again.read(np.array([0, 1, 2])), np.concatenate([vectors(2), vectors(1, 1)])
    )
    assert len(EmbeddingCache(tmp_path, "other", 4)) == 0


@pytest.mark.parametrize(("file", "size"), [("vectors.f16", 8 * 2 + 3), ("contents.bin", 32 * 2 + 31)])
def test_a_kill_while_writing_loses_the_last_rows_only(tmp_path: Path, file: str, size: int) -> None:
    EmbeddingCache(tmp_path, "f", 4).append(keys(1, 2, 3), vectors(3))
    path = tmp_path / "f" / file
    path.write_bytes(path.read_bytes()[:size])
    cache = EmbeddingCache(tmp_path, "f", 4)
    assert len(cache) == 2
    cache.append(keys(7), vectors(1, 5))
    again = EmbeddingCache(tmp_path, "f", 4)
    np.testing.assert_array_equal(again.read(again.rows(keys(7))), vectors(1, 5))
    np.testing.assert_array_equal(again.read(again.rows(keys(2))), vectors(3)[1:2])


def test_two_processes_may_fill_one_cache(tmp_path: Path) -> None:
    here, there = EmbeddingCache(tmp_path, "f", 4), EmbeddingCache(tmp_path, "f", 4)
    here.append(keys(1, 2), vectors(2))
    there.append(keys(2, 3), vectors(2, 1))
    here.append(keys(4), vectors(1, 2))
    for cache in (here, EmbeddingCache(tmp_path, "f", 4)):
        assert cache.rows(keys(1, 2, 3, 4)).tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(cache.read(cache.rows(keys(2))), vectors(2)[1:])
        np.testing.assert_array_equal(cache.read(cache.rows(keys(3))), vectors(2, 1)[1:])


def test_a_cache_removed_while_in_use_never_mixes_rows_up(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "f", 4)
    cache.append(keys(1, 2, 3), vectors(3))
    shutil.rmtree(tmp_path / "f")
    for _ in range(5):  # the learner tries again and again
        with pytest.raises(StoreError, match="removed"):
            cache.append(keys(4), vectors(1) + 100)
    np.testing.assert_array_equal(cache.read(cache.rows(keys(1, 2, 3))), vectors(3))
    assert len(EmbeddingCache(tmp_path, "f", 4)) == 0


def test_vectors_of_another_shape_are_refused(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "f", 4)
    with pytest.raises(ValueError, match="hashes"):
        cache.append(keys(1), vectors(2))
    with pytest.raises(ValueError, match="float32"):
        cache.append(keys(1), vectors(1).astype(np.float32))
    assert len(cache) == 0


def test_models_are_kept_pruned_and_passed_over_when_damaged(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "models", keep=2)
    assert folder.last_good() is None
    for version in (1, 2, 3):
        folder.save(version, {"w": np.full(3, version)}, {"classes": ["ä", "b"]})
    assert sorted(folder.versions()) == [2, 3]
    (tmp_path / "models" / "000003" / "model.safetensors").write_bytes(b"half")
    found = folder.last_good()
    assert found is not None and found.version == 2 and found.arrays["w"].tolist() == [2, 2, 2]
    assert found.card["classes"] == ["ä", "b"]


def test_a_folder_left_by_a_kill_is_swept_up(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path, keep=2)
    left = tmp_path / ("." + "a" * 32)
    left.mkdir()
    folder.save(1, {"w": np.zeros(1)}, {})
    assert not left.exists() and folder.versions() == [1]


def label(value: str, seconds: float | None = 1.5) -> Label:
    when = datetime(2026, 1, 2, 3, 4, 5, 678000)
    return Label(1, value, "me", Source.CONFIRMED, seconds, when, 1)


def test_odd_names_survive_a_table() -> None:
    names = ['a, "b"', "größer", "NA", "012", "null", "'", "1e5"]
    text = CsvTable().write([(f"dir, x/{at}.png", label(name)) for at, name in enumerate(names)])
    assert text.splitlines()[0] == "path,label,labelled_by,source,seconds,created_at"
    rows = CsvTable().read(text)
    assert [row.label for row in rows] == names and rows[0].path == "dir, x/0.png"
    assert rows[0].source == "confirmed" and rows[0].created_at == label("x").created_at
    assert CsvTable().read(CsvTable().write([("a", label("x", None))]))[0].seconds is None


def test_tables_that_are_none() -> None:
    assert CsvTable().read("") == [] and CsvTable().read("path,label\n") == []
    with pytest.raises(InputError, match="lacks the column label"):
        CsvTable().read("path,class\na,b\n")
    with pytest.raises(InputError) as caught:
        CsvTable().read("path,label,seconds\na,b,soon\n,b,1\n")
    assert [detail["row"] for detail in caught.value.details] == ["row 2", "row 3"]


def test_rows_are_found_among_sorted_and_unsorted_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "MOST_UNSORTED", 50)
    rng = np.random.default_rng(0)
    hashes = [bytes([int(rng.integers(4)), *rng.bytes(31)]) for _ in range(300)]
    hashes += [bytes(8) + rng.bytes(24) for _ in range(40)]  # alike in the bytes they are sorted by
    rng.shuffle(hashes)
    rows = RowsByHash()
    for start in range(0, len(hashes), 17):
        rows.add(b"".join(hashes[start : start + 17]))
        wanted = as_hashes(b"".join([*hashes, rng.bytes(32)]))
        known = min(start + 17, len(hashes))
        assert len(rows) == known
        expected = [*range(known), *[-1] * (len(hashes) - known), -1]
        assert rows.find(wanted).tolist() == expected


def test_models_are_kept_the_more_thinly_the_older_they_are() -> None:
    kept = versions_to_keep(range(1, 2345), keep=3)
    assert sorted(kept) == [1000, 2000, 2100, 2200, 2300, 2320, 2330, 2340, 2342, 2343, 2344]
    assert versions_to_keep([4, 7], keep=3) == {4, 7}
