"""The digits: every scan once, legible, in an order that tells nothing, resumable."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from lightbulb.datasets import digits as module
from lightbulb.datasets.digits import Digits, png_of
from lightbulb.datasets.folder import read_truth


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dataset")
    Digits().make(root)
    return root


def digest_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_holds_every_scan_once_with_its_label(root: Path) -> None:
    scans, labels = load_digits(return_X_y=True)
    truth = read_truth(root, "digits")
    assert {path.name for path in (root / "digits").iterdir()} == set(truth)
    assert Counter(truth.values()) == Counter(map(str, labels))
    # Shrunk again, each file is nearest to a scan of the label it is said to have.
    for name in list(truth)[::97]:
        with Image.open(root / "digits" / name) as image:
            assert (image.size, image.mode) == ((64, 64), "L")
            small = np.asarray(image.resize((8, 8), Image.Resampling.BOX), dtype=float).ravel() * 16 / 255
        nearest = np.abs(scans - small).sum(axis=1).argmin()
        assert str(labels[nearest]) == truth[name]


def test_order_tells_nothing(root: Path) -> None:
    _, labels = load_digits(return_X_y=True)
    shuffled = list(read_truth(root, "digits").values())  # by name
    assert shuffled != [str(label) for label in labels]
    # scikit-learn's order runs 0, 1, 2, …: a label then tells the next one nearly always.
    follows = np.mean([(int(a) + 1) % 10 == int(b) for a, b in itertools.pairwise(shuffled)])
    assert follows < 0.2


def test_enlarging_is_smooth_and_does_not_wrap() -> None:
    scan = np.zeros((8, 8))
    scan[:, 4:] = 16
    with Image.open(io.BytesIO(png_of(scan))) as image:
        row = np.asarray(image)[32].astype(int)
    assert row[:20].max() == 0 and row[-20:].min() == 255
    assert np.all(np.diff(row[24:40]) >= 0)  # from dark to bright, in steps
    assert len(set(row[24:40])) > 4


def test_goes_on_after_an_interruption_and_gives_the_same_files(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    write = module.write_atomically

    def interrupted(path: Path, content: bytes) -> None:
        if len(written) == 100:
            raise KeyboardInterrupt
        written.append(path)
        write(path, content)

    monkeypatch.setattr(module, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Digits().make(tmp_path)
    assert read_truth(tmp_path, "digits") == {}  # unfinished, and said to be
    (tmp_path / "digits" / ".tmp-left").write_bytes(b"half")

    again: list[Path] = []
    monkeypatch.setattr(
        module, "write_atomically", lambda path, content: (again.append(path), write(path, content))
    )
    Digits().make(tmp_path)
    assert not set(written) & set(again)
    assert digest_of(tmp_path / "digits") == digest_of(root / "digits")
    assert (tmp_path / "digits.truth.csv").read_bytes() == (root / "digits.truth.csv").read_bytes()


def test_does_nothing_when_complete_and_mends_what_was_lost(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = root / "digits" / "0500.png"
    content = lost.read_bytes()
    lost.unlink()
    Digits().make(root)
    assert lost.read_bytes() == content

    monkeypatch.setattr("sklearn.datasets.load_digits", lambda **_: pytest.fail("made again"))
    Digits().make(root)
