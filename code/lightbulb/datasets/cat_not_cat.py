"""Cat or not: the photographs of the Oxford-IIIT Pet dataset, 37 breeds of cats and dogs.

O. M. Parkhi, A. Vedaldi, A. Zisserman, C. V. Jawahar (2012), Cats and Dogs, CVPR. Addresses, checksums,
extraction and labels are torchvision's (`torchvision.datasets.OxfordIIITPet`). Its own download starts
from zero when interrupted, so the archives are fetched here, and torchvision finds them in place.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path
from typing import Any

from lightbulb.datasets import DatasetRecipe
from lightbulb.datasets.folder import (
    anonymous_names,
    is_complete,
    remove_leftovers,
    write_truth,
)
from lightbulb.errors import DatasetError
from lightbulb.files import write_atomically

SEED = 0  # of the shuffle; changing it renames every item
LABELS = {"Cat": "Cat", "Dog": "Not Cat"}  # torchvision's binary categories, and ours
CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 30

INSTEAD = "`make run` needs no download, and `lightbulb dataset import DIR` takes a folder of your own"


class CatNotCat(DatasetRecipe):
    name = "cat_not_cat"
    summary = "7,349 photographs of cats and dogs (Oxford-IIIT Pet); downloads 800 MB"

    def make(self, root: Path) -> None:
        if is_complete(root, self.name):
            return
        from lightbulb.vision import torchvision

        pets = torchvision.datasets.OxfordIIITPet
        raw = root / ".downloads"
        archives = raw / "oxford-iiit-pet"  # the folder torchvision looks in
        for url, md5 in pets._RESOURCES:
            download(url, archives / url.rpartition("/")[2], md5)
        photographs = extract(pets, raw, archives)
        self._copy(root, photographs)
        remove_extracted(archives)  # the archives stay, to make the dataset again without a network

    def _copy(self, root: Path, photographs: list[tuple[Path, str]]) -> None:
        """photographs: (file, label) in a fixed order."""
        names = anonymous_names([".jpg"] * len(photographs), SEED)
        directory = root / self.name
        directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(directory)
        for name, (photograph, _) in zip(names, photographs, strict=True):
            if not (directory / name).exists():
                write_atomically(directory / name, photograph.read_bytes())
        truth = {name: label for name, (_, label) in zip(names, photographs, strict=True)}
        write_truth(root, self.name, truth)


def extract(pets: Any, raw: Path, archives: Path) -> list[tuple[Path, str]]:
    """(photograph, label) of both splits, in torchvision's order.

    Raises: DatasetError if the archives do not hold what their lists name.
    """
    marker = archives / "extracted"
    if not marker.exists():
        # torchvision takes any existing folder for a whole one: a half-extracted one has to go.
        remove_extracted(archives)
    photographs: list[tuple[Path, str]] = []
    try:
        for split in ("trainval", "test"):
            part = pets(str(raw), split=split, target_types="binary-category", download=True)
            labels = [LABELS[part.bin_classes[index]] for index in part._bin_labels]
            photographs += zip(map(Path, part._images), labels, strict=True)
    except (OSError, EOFError, RuntimeError, ValueError, tarfile.TarError) as error:
        raise DatasetError(
            f"cat_not_cat: the archives in {archives} cannot be extracted ({error})"
        ) from error
    missing = [path for path, _ in photographs if not path.is_file()]
    if missing:
        raise DatasetError(f"cat_not_cat: the archives in {archives} lack {missing[0].name}")
    marker.touch()
    return photographs


def remove_extracted(archives: Path) -> None:
    (archives / "extracted").unlink(missing_ok=True)
    for folder in ("images", "annotations"):
        shutil.rmtree(archives / folder, ignore_errors=True)


def download(url: str, target: Path, md5: str) -> None:
    """Fetches `url` to `target`, going on where an earlier run stopped (`target` + ".part").

    Raises: DatasetError if there is no connection, it breaks off, or the checksum does not fit.
    """
    if target.exists() and md5_of(target) == md5:
        return
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if not (part.exists() and md5_of(part) == md5):  # all of it may have come before an interruption
        fetch_rest(url, part)
    if md5_of(part) != md5:
        part.unlink()
        raise DatasetError(
            f"cat_not_cat: {target.name} arrived damaged (its checksum is wrong) and was removed; "
            "run `make dataset/cat_not_cat` again to fetch it afresh"
        )
    part.replace(target)


def fetch_rest(url: str, part: Path) -> None:
    """Appends to `part` what it lacks, or fetches all of it where the server cannot resume."""
    import requests
    from urllib3.exceptions import HTTPError

    have = part.stat().st_size if part.exists() else 0
    # identity: a server that compresses on the way would change the checksum
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            if response.status_code == 416 and have:  # nothing follows, so it is no beginning of this file
                part.unlink()
                fetch_rest(url, part)
                return
            response.raise_for_status()
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            append_body(response, part, have if response.status_code == 206 and resumed else 0)
    except (requests.RequestException, HTTPError) as error:
        raise DatasetError(broken_off(url, part, error)) from error


def append_body(response: Any, part: Path, have: int) -> None:
    """have: bytes of `part` to keep; the body follows them."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdigit() else None
    with part.open("r+b" if have else "wb") as file, Progress(*columns) as progress:
        file.seek(have)
        task = progress.add_task(part.stem, total=total, completed=have)
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            file.write(chunk)
            progress.advance(task, len(chunk))


def broken_off(url: str, part: Path, error: Exception) -> str:
    """One line: what happened, and what to do."""
    if part.exists() and part.stat().st_size:
        megabytes = part.stat().st_size / 1e6
        return (
            f"cat_not_cat: the download of {part.stem} broke off at {megabytes:.1f} MB; "
            "run `make dataset/cat_not_cat` again and it goes on from there"
        )
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = f"the server answered {status}" if status else "no connection"
    return f"cat_not_cat: {url} cannot be downloaded ({reason}). Without it: {INSTEAD}"


def md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
