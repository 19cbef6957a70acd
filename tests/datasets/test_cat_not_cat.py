"""Cat or not: against a server on this machine that hands out a small archive of the same layout."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from lightbulb.datasets.cat_not_cat import CatNotCat
from lightbulb.datasets.folder import read_truth
from lightbulb.errors import DatasetError
from lightbulb.vision import torchvision

# Like the original's: cats' names begin with a capital, and their species is 1.
TRAINVAL = {"Abyssinian_1": 1, "Abyssinian_2": 1, "beagle_1": 2}
TEST = {"Bengal_7": 1, "beagle_2": 2, "pug_3": 2}


def jpeg(name: str) -> bytes:
    """One picture for each name, so that a mixed-up label shows."""
    shade = hashlib.sha256(name.encode()).digest()
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (shade[0], shade[1], shade[2])).save(file, "JPEG")
    return file.getvalue()


def tar_gz(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def split_list(species: dict[str, int]) -> bytes:
    """Lines "image class species breed", as in the original's annotations."""
    breeds = sorted({name.rsplit("_", 1)[0] for name in TRAINVAL | TEST})
    rows = [f"{name} {breeds.index(name.rsplit('_', 1)[0]) + 1} {kind} 1\n" for name, kind in species.items()]
    return "".join(rows).encode()


class Server(ThreadingHTTPServer):
    """Hands out `bodies` by path; breaks off after `break_after` bytes; notes what was asked for."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies = bodies
        self.break_after: int | None = None
        self.can_resume = True
        self.status = 200
        self.asked: list[tuple[str, str | None]] = []  # (path, Range)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked_range = self.headers["Range"]
        self.server.asked.append((self.path, asked_range))
        body = self.server.bodies[self.path]
        begin = int(asked_range[6:-1]) if asked_range and self.server.can_resume else 0
        if self.server.status != 200:
            return self.send_error(self.server.status)
        if begin >= len(body):
            return self.send_error(416)
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - begin))
        # Some servers say this of a .tar.gz; decoding it would change the checksum.
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body[begin:][: self.server.break_after])
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    photographs = {f"images/{name}.jpg": jpeg(name) for name in TRAINVAL | TEST}
    lists = {"annotations/trainval.txt": split_list(TRAINVAL), "annotations/test.txt": split_list(TEST)}
    bodies = {"/images.tar.gz": tar_gz(photographs), "/annotations.tar.gz": tar_gz(lists)}
    server = Server(bodies)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    resources = tuple(
        (f"http://127.0.0.1:{server.server_port}{path}", hashlib.md5(body).hexdigest())
        for path, body in bodies.items()
    )
    monkeypatch.setattr(torchvision.datasets.OxfordIIITPet, "_RESOURCES", resources)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def assert_complete(root: Path) -> None:
    truth = read_truth(root, "cat_not_cat")
    label_of = {(root / "cat_not_cat" / path).read_bytes(): (path, label) for path, label in truth.items()}
    assert len(truth) == len(list((root / "cat_not_cat").iterdir())) == 6
    for name, species in (TRAINVAL | TEST).items():
        path, label = label_of[jpeg(name)]
        assert label == {1: "Cat", 2: "Not Cat"}[species]
        assert path in {f"{place:04d}.jpg" for place in range(6)}


def test_both_splits_arrive_under_names_that_tell_nothing(server: Server, tmp_path: Path) -> None:
    CatNotCat().make(tmp_path)
    assert_complete(tmp_path)
    asked = len(server.asked)
    CatNotCat().make(tmp_path)
    assert len(server.asked) == asked == 2  # complete: nothing is fetched again
    # Lost files come back from the archives that were kept, without a network.
    (tmp_path / "cat_not_cat" / "0003.jpg").unlink()
    CatNotCat().make(tmp_path)
    assert_complete(tmp_path)
    assert len(server.asked) == asked


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.break_after = 300
    with pytest.raises(DatasetError, match=r"images\.tar\.gz broke off at 0\.0 MB.*again and it goes on"):
        CatNotCat().make(tmp_path)
    server.break_after = None
    CatNotCat().make(tmp_path)
    assert_complete(tmp_path)
    assert server.asked == [
        ("/images.tar.gz", None),
        ("/images.tar.gz", "bytes=300-"),
        ("/annotations.tar.gz", None),
    ]


def test_a_server_that_cannot_resume_sends_everything_again(server: Server, tmp_path: Path) -> None:
    server.can_resume = False
    server.break_after = 300
    with pytest.raises(DatasetError):
        CatNotCat().make(tmp_path)
    server.break_after = None
    CatNotCat().make(tmp_path)
    assert_complete(tmp_path)


def test_more_than_the_whole_is_thrown_away(server: Server, tmp_path: Path) -> None:
    part = tmp_path / ".downloads" / "oxford-iiit-pet" / "images.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(server.bodies["/images.tar.gz"]) + 1))
    CatNotCat().make(tmp_path)
    assert_complete(tmp_path)


def test_a_wrong_checksum_is_an_error_and_the_file_goes(server: Server, tmp_path: Path) -> None:
    right = server.bodies["/images.tar.gz"]
    server.bodies["/images.tar.gz"] = right[:-1] + bytes([right[-1] ^ 1])
    with pytest.raises(DatasetError, match="checksum is wrong"):
        CatNotCat().make(tmp_path)
    archives = tmp_path / ".downloads" / "oxford-iiit-pet"
    assert list(archives.iterdir()) == []
    assert not (tmp_path / "cat_not_cat").exists()
    server.bodies["/images.tar.gz"] = right
    CatNotCat().make(tmp_path)
    assert_complete(tmp_path)


def test_a_half_extracted_archive_is_extracted_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CatNotCat, "_copy", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        CatNotCat().make(tmp_path)
    monkeypatch.undo()
    archives = tmp_path / ".downloads" / "oxford-iiit-pet"
    # As a run killed while it extracted would leave it; torchvision takes this for complete.
    (archives / "extracted").unlink()
    (archives / "images" / "pug_3.jpg").unlink()
    (archives / "annotations" / "test.txt").write_bytes(b"")
    resources = tuple(
        (f"http://127.0.0.1:1/{path.name}", hashlib.md5(path.read_bytes()).hexdigest())
        for path in (archives / "images.tar.gz", archives / "annotations.tar.gz")
    )
    monkeypatch.setattr(torchvision.datasets.OxfordIIITPet, "_RESOURCES", resources)
    CatNotCat().make(tmp_path)
    assert_complete(tmp_path)


@pytest.mark.parametrize("status", [None, 404])
def test_without_a_server_one_line_says_what_to_do_instead(
    server: Server, tmp_path: Path, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if status:
        server.status = status
    else:
        gone = (("http://127.0.0.1:1/images.tar.gz", "0" * 32),)
        monkeypatch.setattr(torchvision.datasets.OxfordIIITPet, "_RESOURCES", gone)
    with pytest.raises(DatasetError) as raised:
        CatNotCat().make(tmp_path)
    message = raised.value.message
    assert "\n" not in message
    assert ("the server answered 404" if status else "no connection") in message
    assert "`make run`" in message and "`lightbulb dataset import DIR`" in message
    assert not (tmp_path / "cat_not_cat").exists()


def test_torchvision_is_whole_enough_for_models_and_nothing_is_faked() -> None:
    import torch

    assert torchvision.models.squeezenet1_1(weights=None).num_classes == 1000
    if not torchvision.extension._has_ops():  # beside a CPU-only torch
        with pytest.raises(NotImplementedError):
            torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
