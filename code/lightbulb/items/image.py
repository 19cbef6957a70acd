"""Bytes → pixels: the ONE path for images, shared by encoding, `/score` and thumbnails.

Every source ends as upright 8-bit RGB: EXIF rotation applied, palettes and CMYK converted, 16 bits
scaled to 8, transparency laid on white, the first frame of an animation.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lightbulb.errors import UnreadableImage
from lightbulb.torch_setup import torch

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# torch scales as Pillow does, but for rounding, in a third of the time
INTERPOLATIONS = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}
PIXELS_VERSION = 2  # part of every encoder's fingerprint; raise it when the pixels below change

Image.MAX_IMAGE_PIXELS = None  # `max_pixels` below is the limit, and it is checked before decoding


def open_image(data: bytes, *, max_pixels: float, at_least: int | None = None) -> Image.Image:
    """Decodes to upright RGB.

    max_pixels: width x height that is still accepted. at_least: if only a small picture is wanted,
    its side in pixels; a JPEG is then decoded at a fraction of its size, which is much faster.

    Raises: UnreadableImage, saying why, for anything that is not a whole image of a known format.
    """
    if not data:
        raise UnreadableImage("the file is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable metadata
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if width * height > max_pixels:
                raise UnreadableImage(
                    f"{width} x {height} pixels, more than the limit of {max_pixels / 1e6:g} megapixels"
                )
            if at_least is not None:
                image.draft("RGB", (2 * at_least, 2 * at_least))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image)
    except UnreadableImage:
        raise
    except UnidentifiedImageError:
        raise UnreadableImage("not an image (known: JPEG, PNG, WebP, BMP, GIF)") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise UnreadableImage(f"damaged image: {error}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float32)
        return Image.fromarray(np.clip(values / 256.0, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def read_pixels(
    data: bytes,
    size: int,
    *,
    max_pixels: float,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
) -> NDArray[np.uint8]:
    """Encoded bytes → what an encoder reads: uint8 (size, size, 3).

    The whole picture is scaled to a square rather than cropped: what is asked about may lie at the edge.

    Raises: UnreadableImage.
    """
    image = open_image(data, max_pixels=max_pixels, at_least=size)
    return scaled_pixels(image, size, size, resample)


def scaled_pixels(
    image: Image.Image, width: int, height: int, resample: Image.Resampling
) -> NDArray[np.uint8]:
    """An RGB image in another size: uint8 (height, width, 3)."""
    if image.size == (width, height):
        return np.asarray(image, dtype=np.uint8)
    mode = INTERPOLATIONS.get(resample)
    if mode is None:
        return np.asarray(image.resize((width, height), resample), dtype=np.uint8)
    pixels = torch.from_numpy(np.array(image))[None].permute(0, 3, 1, 2)  # channels last, as the result
    scaled = torch.nn.functional.interpolate(pixels, (height, width), mode=mode, antialias=True)
    return scaled[0].permute(1, 2, 0).contiguous().numpy()


def thumbnail(data: bytes, width: int, *, max_pixels: float) -> bytes:
    """A JPEG at most `width` pixels wide and high; smaller pictures keep their size.

    Raises: UnreadableImage.
    """
    # Half: `open_image` leaves a JPEG twice the size asked for, and here as many pixels as shown will do.
    image = open_image(data, max_pixels=max_pixels, at_least=(width + 1) // 2)
    share = min(1.0, width / max(image.size))
    columns, rows = (max(1, round(side * share)) for side in image.size)
    pixels = scaled_pixels(image, columns, rows, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=87)
    return out.getvalue()


def fits(data: bytes, width: int) -> bool:
    """Whether a picture is at most `width` pixels wide and high. Raises: UnreadableImage."""
    try:
        return max(Image.open(io.BytesIO(data), formats=FORMATS).size) <= width
    except Exception as error:
        raise UnreadableImage("not an image (known: JPEG, PNG, WebP, BMP, GIF)") from error


def media_type(data: bytes) -> str:
    """MIME type by content, not by name. Raises: UnreadableImage."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:
        raise UnreadableImage("not an image (known: JPEG, PNG, WebP, BMP, GIF)") from error
    return Image.MIME[image.format or "JPEG"]
