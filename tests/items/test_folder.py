from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lightbulb.errors import InputError
from lightbulb.items.folder import IMAGE_SUFFIXES, FoundFile, key_below, scan_folder


def scan(root: Path, **options: bool) -> dict[str, FoundFile]:
    found = list(scan_folder(root, IMAGE_SUFFIXES, **options))
    assert len(found) == len({file.key for file in found})
    return {file.key: file for file in found}


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_recursive_by_suffix_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/deep/er/c.webp", "notes.txt", ".hidden.png", ".git/x.png", "__MACOSX/x.png"):
        touch(tmp_path / name)
    assert list(scan(tmp_path)) == ["a/deep/er/c.webp", "b.JPG"]


def test_an_empty_file_is_found_with_its_problem(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", b"")
    assert "0 bytes" in str(scan(tmp_path)["a.png"].problem)


def test_links_inside_are_files_links_out_are_problems(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    touch(root / "a.png")
    touch(outside / "secret.png")
    (root / "same.png").symlink_to(root / "a.png")
    (root / "out.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    (root / "dead.png").symlink_to(root / "nothing.png")
    found = scan(root)
    assert found["same.png"].problem is None
    assert "link out" in str(found["out.png"].problem) and "link out" in str(found["folder"].problem)
    assert "cannot be read" in str(found["dead.png"].problem)
    followed = scan(root, follow_links=True)
    assert followed["out.png"].problem is None and followed["folder/secret.png"].problem is None


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path / "a.png")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(scan(tmp_path, follow_links=True)) == ["a.png"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS allows no such file name")
def test_a_link_to_itself_is_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "b.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "c").symlink_to(tmp_path / "c")
    found = list(scan_folder(tmp_path, IMAGE_SUFFIXES))
    assert [one.key for one in found] == ["a.png", "b.png"]
    assert found[1].problem is not None and "symbolic links" in found[1].problem


def test_a_name_that_is_no_text_is_reported(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.png")).write_bytes(b"x")
    (found,) = scan(tmp_path).values()
    assert "UTF-8" in str(found.problem)
    found.key.encode("utf-8")


def test_keys_as_people_write_them(tmp_path: Path) -> None:
    assert key_below("./a//b.png", tmp_path) == "a/b.png"
    assert key_below("a\\b.png", tmp_path) == "a/b.png"
    assert key_below(str(tmp_path.resolve() / "a/b.png"), tmp_path) == "a/b.png"
    for outside in ("../x.png", "a/../../x.png", "/etc/passwd", "", "."):
        with pytest.raises(InputError, match="outside"):
            key_below(outside, tmp_path)
