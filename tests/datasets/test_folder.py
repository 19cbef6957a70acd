"""A folder of one's own: what is copied, what is hidden, what is refused; and the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lightbulb.config import load_config
from lightbulb.datasets import folder as module
from lightbulb.datasets.commands import dataset
from lightbulb.datasets.folder import (
    Imported,
    anonymous_names,
    import_folder,
    is_complete,
    read_truth,
    write_truth,
)
from lightbulb.errors import DatasetError
from lightbulb.files import write_atomically


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures, told apart by their content, in two class folders."""
    source = tmp_path / "My Photos"
    for path in ("no/a.JPG", "no/deep/b.png", "yes/a.jpg", "yes/c.webp", "yes/notes.txt", ".trash/x.png"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(path.encode())
    return source


@pytest.fixture
def bring(tmp_path: Path, photos: Path):
    def bring(source: Path = photos, **options: object) -> Imported:
        return import_folder(source, tmp_path / "dataset", config_directory=tmp_path / "config", **options)

    return bring


def contents(directory: Path) -> dict[str, str]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_text() for path in files}


def test_relative_paths_are_kept_and_other_files_counted(bring, tmp_path: Path) -> None:
    imported = bring(classes=["Cat", "Not Cat"])
    kept = ("no/a.JPG", "no/deep/b.png", "yes/a.jpg", "yes/c.webp")
    assert contents(tmp_path / "dataset" / "my_photos") == {path: path for path in kept}
    assert (imported.n_items, imported.skipped, imported.truth) == (4, {".txt": 1}, None)


def test_the_starter_config_loads(bring, tmp_path: Path) -> None:
    classes = ["no", "on", "007", 'say "hi"', "a: b # c", "Größe"]
    config = load_config(bring(name="mine", classes=classes).config)
    assert list(config.classes) == classes
    assert config.dataset.directory == tmp_path / "dataset" / "mine"
    assert config.name == "mine"
    assert config.judgements_file == Path("outputs/mine/labels.csv")


def test_by_class_hides_the_class_and_keeps_the_truth(bring, tmp_path: Path) -> None:
    imported = bring(by_class=True)
    items = contents(imported.directory)
    assert sorted(Path(path).stem for path in items) == ["0000", "0001", "0002", "0003"]
    truth = read_truth(tmp_path / "dataset", "my_photos")
    assert {items[path]: label for path, label in truth.items()} == {
        "no/a.JPG": "no",
        "no/deep/b.png": "no",
        "yes/a.jpg": "yes",
        "yes/c.webp": "yes",
    }
    assert load_config(imported.config).classes == ("no", "yes")


def test_by_class_takes_the_order_of_classes_and_misses_none(bring) -> None:
    with pytest.raises(DatasetError, match="leaves out the folder 'yes'"):
        bring(by_class=True, classes=["no", "maybe"])
    assert bring(by_class=True, classes=["yes", "no", "maybe"]).classes == ("yes", "no", "maybe")


def test_a_folder_that_is_in_place_stays_as_it_is(bring, tmp_path: Path, photos: Path) -> None:
    place = tmp_path / "dataset" / "mine"
    place.parent.mkdir()
    photos.rename(place)
    before = contents(place)
    assert bring(place, classes=["a", "b"]).n_items == 4
    assert contents(place) == before


def spoil_nothing(tmp_path: Path, photos: Path) -> None:
    pass


def spoil_config(tmp_path: Path, photos: Path) -> None:
    write_atomically(tmp_path / "config" / "my_photos.yml", b"mine")


def spoil_dataset(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "dataset" / "my_photos").mkdir(parents=True)


def spoil_images(tmp_path: Path, photos: Path) -> None:
    for path in photos.rglob("*.*"):
        if path.is_file():
            path.rename(path.with_suffix(".txt"))


def spoil_loose(tmp_path: Path, photos: Path) -> None:
    (photos / "loose.png").write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (spoil_config, {"classes": ["a", "b"]}, r"my_photos\.yml exists already"),
        (spoil_dataset, {"classes": ["a", "b"]}, "my_photos exists already"),
        (spoil_images, {"classes": ["a", "b"]}, r"no images \(bmp, gif, jpeg, jpg, png, webp\)"),
        (spoil_loose, {"by_class": True}, r"loose\.png lies in none"),
        (spoil_nothing, {}, "name the classes"),
        (spoil_nothing, {"classes": ["a"]}, "two or more"),
        (spoil_nothing, {"classes": ["a", "b", "a"]}, "'a' is named twice"),
        (spoil_nothing, {"classes": ["a", ""]}, "empty name"),
        (spoil_nothing, {"classes": ["a", "b"], "name": "../out"}, "choose a --name"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    bring, tmp_path: Path, photos: Path, spoil, options, message: str
) -> None:
    spoil(tmp_path, photos)
    before = contents(tmp_path)
    with pytest.raises(DatasetError, match=message):
        bring(**options)
    assert contents(tmp_path) == before


def test_a_source_that_holds_the_target_is_refused(bring, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="would lie inside"):
        bring(tmp_path, name="all", classes=["a", "b"])


def test_an_interrupted_copy_leaves_no_dataset_and_can_be_repeated(
    bring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[Path] = []

    def interrupted(source: Path, target: Path) -> None:
        if copied:
            raise KeyboardInterrupt
        copied.append(target)
        target.write_bytes(b"")

    monkeypatch.setattr(module.shutil, "copyfile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bring(classes=["a", "b"])
    assert not (tmp_path / "dataset" / "my_photos").exists()
    assert not (tmp_path / "config").exists()
    monkeypatch.undo()
    assert bring(classes=["a", "b"]).n_items == 4
    assert [path.name for path in (tmp_path / "dataset").iterdir()] == ["my_photos"]


def test_names_are_a_permutation_fixed_by_the_seed() -> None:
    names = anonymous_names([".jpg"] * 12_000, seed=1)
    assert sorted(names) == [f"{place:05d}.jpg" for place in range(12_000)]
    assert names == anonymous_names([".jpg"] * 12_000, seed=1) != anonymous_names([".jpg"] * 12_000, seed=2)


def test_completeness_is_what_the_truth_names(tmp_path: Path) -> None:
    assert not is_complete(tmp_path, "x")
    write_atomically(tmp_path / "x" / "a, b.png", b"")
    write_truth(tmp_path, "x", {"a, b.png": 'Not "Cat"'})
    assert read_truth(tmp_path, "x") == {"a, b.png": 'Not "Cat"'}
    assert is_complete(tmp_path, "x", 1) and not is_complete(tmp_path, "x", 2)
    (tmp_path / "x" / "a, b.png").unlink()
    assert not is_complete(tmp_path, "x", 1)


# --- the command line ----------------------------------------------------------------------------


def test_list_names_every_recipe() -> None:
    listed = CliRunner().invoke(dataset, ["list"], catch_exceptions=False).output.splitlines()
    assert [line.split()[0] for line in listed] == ["cat_not_cat", "digits", "shapes"]


def test_an_unknown_dataset_is_an_error_that_knows_better(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='did you mean "digits"'):
        CliRunner().invoke(
            dataset, ["make", "digit", "--root", str(tmp_path)], catch_exceptions=False, standalone_mode=False
        )


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "0001.png")

    monkeypatch.setattr("lightbulb.datasets.digits.Digits.make", fail)
    with pytest.raises(DatasetError, match=r"^No space left on device: 0001\.png; run the same"):
        CliRunner().invoke(
            dataset,
            ["make", "digits", "--root", str(tmp_path)],
            catch_exceptions=False,
            standalone_mode=False,
        )


def test_import_says_what_it_did(photos: Path, tmp_path: Path) -> None:
    options = [
        "--root",
        str(tmp_path / "d"),
        "--config-dir",
        str(tmp_path / "c"),
        "--classes",
        "Cat, Not Cat",
    ]
    result = CliRunner().invoke(dataset, ["import", str(photos), *options], catch_exceptions=False)
    assert "my_photos: 4 images" in result.output
    assert "left out, being no images: 1 .txt" in result.output
    assert load_config(tmp_path / "c" / "my_photos.yml").classes == ("Cat", "Not Cat")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from lightbulb.datasets.commands import dataset, recipes; recipes(); "
        "heavy = {'torch', 'sklearn', 'torchvision', 'pandas'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    environment = {"PYTHONPATH": str(Path(module.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
