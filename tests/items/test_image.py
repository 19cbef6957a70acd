"""Every kind of picture ends as upright 8-bit RGB; everything else is refused with its reason."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightbulb.errors import UnreadableImage
from lightbulb.items import image as image_module
from lightbulb.items.image import decode, media_type, open_image, read_pixels, thumbnail

LIMIT = 1e6


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "0 bytes"),
        (b"this is no picture", "not an image"),
        (saved(Image.effect_noise((64, 64), 60), "JPEG")[:700], "damaged"),
        (saved(Image.effect_noise((64, 64), 60), "PNG")[:-300], "damaged"),
        (saved(Image.new("L", (1200, 900)), "PNG"), "1200 x 900 pixels"),
        (saved(Image.new("L", (9, 9)), "TIFF"), "not an image"),
    ],
)
def test_refused_with_the_reason(data: bytes, word: str) -> None:
    with pytest.raises(UnreadableImage, match=word):
        decode(data, max_pixels=LIMIT)


def test_a_decompression_bomb_is_refused_before_it_unfolds() -> None:
    bomb = saved(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 200_000
    with pytest.raises(UnreadableImage, match="30000 x 30000"):
        decode(bomb, max_pixels=60e6)


def test_cmyk() -> None:
    red = decoded(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert red[4, 4, 0] > 200 and red[4, 4, 1:].max() < 60


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = decoded(saved(Image.fromarray(np.full((8, 8), 32_768, dtype=np.uint16)), "PNG"))
    assert np.abs(grey.astype(int) - 128).max() <= 1


def test_transparency_is_laid_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.putpixel((0, 0), (255, 0, 0, 255))
    pixels = decoded(saved(clear, "PNG"))
    assert pixels[4, 4].tolist() == [255, 255, 255] and pixels[0, 0].tolist() == [255, 0, 0]
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 0, 255, 0])
    palette.putpixel((2, 2), 1)
    pixels = decoded(saved(palette, "PNG", transparency=0))
    assert pixels[4, 4].tolist() == [255, 255, 255] and pixels[2, 2].tolist() == [0, 255, 0]


def test_exif_rotation_is_applied() -> None:
    image = Image.new("RGB", (40, 20), "black")
    image.paste("red", (0, 0, 10, 20))  # red at the left; turned by 90° clockwise it is at the top
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = decoded(saved(image, "JPEG", exif=exif, quality=95))
    assert pixels.shape == (40, 20, 3)
    assert pixels[3, 10, 0] > 200 and pixels[36, 10, 0] < 50


def photograph(mode: str = "RGB", size: tuple[int, int] = (417, 290)) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


JPEGS = {
    "usual": saved(photograph(), "JPEG"),
    "grey": saved(photograph("L"), "JPEG"),
    "progressive": saved(photograph(), "JPEG", progressive=True),
    "all colours": saved(photograph(), "JPEG", subsampling=0),
    "few colours": saved(photograph(), "JPEG", subsampling="4:1:1"),
    "not separated": saved(photograph(), "JPEG", keep_rgb=True),
    "CMYK": saved(photograph("CMYK"), "JPEG"),
    "with bytes behind": saved(photograph(), "JPEG") + b"behind",
    "one pixel": saved(photograph(size=(1, 1)), "JPEG"),
    "two in a file": saved(photograph(), "MPO", save_all=True, append_images=[photograph()]),
}


@pytest.fixture
def by_pillow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., np.ndarray]:
    """decode(), without the faster way for JPEG."""

    def decode_slowly(data: bytes, at_least: int | None = None) -> np.ndarray:
        with monkeypatch.context() as patch:
            patch.setattr(image_module, "_decode_jpeg", lambda *_: None)
            return decode(data, max_pixels=LIMIT, at_least=at_least)

    return decode_slowly


@pytest.mark.parametrize("at_least", [None, 100, 60, 20])
@pytest.mark.parametrize("data", JPEGS.values(), ids=JPEGS.keys())
def test_a_jpeg_is_decoded_as_pillow_does(
    data: bytes, at_least: int | None, by_pillow: Callable[..., np.ndarray]
) -> None:
    found, wanted = decode(data, max_pixels=LIMIT, at_least=at_least), by_pillow(data, at_least)
    assert np.array_equal(found, wanted)
    assert found.flags.writeable and found.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(10))
def test_and_turned_as_pillow_does(orientation: int, by_pillow: Callable[..., np.ndarray]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(photograph(), "JPEG", exif=exif)
    assert np.array_equal(decoded(data), by_pillow(data))
    assert read_pixels(data, 32, max_pixels=LIMIT).shape == (32, 32, 3)


def test_the_usual_jpeg_takes_the_faster_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("decoded by Pillow")

    monkeypatch.setattr(image_module, "_to_rgb", refuse)
    for name in ("usual", "grey", "progressive"):
        assert decoded(JPEGS[name]).shape == (290, 417, 3)
    with pytest.raises(UnreadableImage):
        decoded(JPEGS["CMYK"])


def test_a_jpeg_with_a_small_fault_is_still_read(by_pillow: Callable[..., np.ndarray]) -> None:
    data = bytearray(saved(photograph(), "JPEG"))
    for at in range(len(data) // 2, len(data) // 2 + 4):
        data[at] = 0x55
    assert np.array_equal(decoded(bytes(data)), by_pillow(bytes(data)))


def test_decoding_side_by_side_changes_no_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two begin, and end in the same order: each would put back what it found."""
    began, may_end = (
        {name: threading.Event() for name in ("first", "second")},
        {name: threading.Event() for name in ("first", "second")},
    )

    def wait(*_: Any) -> None:
        name = threading.current_thread().name
        began[name].set()
        assert may_end[name].wait(60)

    monkeypatch.setattr(image_module, "_decode_jpeg", wait)
    before = list(warnings.filters)
    threads = [threading.Thread(target=decoded, args=(JPEGS["usual"],), name=name) for name in began]
    for thread in threads:
        thread.start()
        assert began[thread.name].wait(60)
    for thread in threads:
        may_end[thread.name].set()
        thread.join()
    assert list(warnings.filters) == before


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (5, 7), (7, 7), (9, 8), (17, 33)], ids=str)
@pytest.mark.parametrize("at_least", [None, 1, 2])
def test_tiny_jpegs_are_decoded_as_pillow_does(
    size: tuple[int, int], at_least: int | None, by_pillow: Callable[..., np.ndarray]
) -> None:
    data = saved(photograph(size=size), "JPEG")
    assert np.array_equal(decode(data, max_pixels=LIMIT, at_least=at_least), by_pillow(data, at_least))


def test_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pixels = decoded(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert pixels[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_every_format_gives_a_square_of_the_size_asked(kind: str) -> None:
    data = saved(Image.new("RGB", (50, 30), (10, 200, 30)), kind)
    pixels = read_pixels(data, 32, max_pixels=LIMIT)
    assert pixels.shape == (32, 32, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels[16, 16].astype(int) - [10, 200, 30]).max() < 12
    assert media_type(data) == Image.MIME[kind]


def test_a_large_jpeg_is_scaled_while_decoding_to_nearly_the_same_pixels() -> None:
    gradient = np.linspace(0, 255, 900, dtype=np.uint8)
    image = Image.fromarray(np.stack([np.tile(gradient, (900, 1))] * 3, axis=2))
    data = saved(image, "JPEG", quality=95)
    whole = np.asarray(open_image(data, max_pixels=LIMIT).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.abs(read_pixels(data, 64, max_pixels=LIMIT).astype(int) - whole).max() <= 3


def test_thumbnails_shrink_and_never_grow() -> None:
    large = Image.open(
        io.BytesIO(thumbnail(saved(Image.new("RGB", (300, 100)), "PNG"), 60, max_pixels=LIMIT))
    )
    small = Image.open(io.BytesIO(thumbnail(saved(Image.new("RGB", (30, 10)), "PNG"), 60, max_pixels=LIMIT)))
    assert large.size == (60, 20) and small.size == (30, 10)
