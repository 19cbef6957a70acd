"""Bytes → pixels: the ONE path for images, shared by encoding, `/score` and thumbnails.

Every source ends as upright 8-bit RGB: EXIF rotation applied, palettes and CMYK converted, 16 bits
scaled to 8, transparency laid on white, the first frame of an animation.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from lightbulb.errors import UnreadableImage
from lightbulb.records import Pixels
from lightbulb.torch_setup import scripted, torch

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
# EXIF's orientations but for upright: how to turn (h, w, 3)
TURNS: dict[object, Callable[[Pixels], Pixels]] = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x[::-1].swapaxes(0, 1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x[:, ::-1].swapaxes(0, 1),
}
PIXELS_VERSION = 2  # part of every encoder's fingerprint; raise it when the pixels below change

# Pillow's remarks on odd but readable metadata. Not call by call: `catch_warnings` changes what all threads
# are warned of, and those that decode side by side would put it back in the wrong order.
warnings.filterwarnings("ignore", module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = None  # `max_pixels` below is the limit, and it is checked before decoding


def open_image(data: bytes, *, max_pixels: float, at_least: int | None = None) -> Image.Image:
    """As `decode`, for Pillow."""
    return Image.fromarray(decode(data, max_pixels=max_pixels, at_least=at_least))


def decode(data: bytes, *, max_pixels: float, at_least: int | None = None) -> Pixels:
    """Upright RGB: uint8 (height, width, 3), writable.

    max_pixels: width x height that is still accepted. at_least: if only a small picture is wanted,
    its side in pixels; a JPEG is then decoded at a fraction of its size, which is much faster.

    Raises: UnreadableImage, saying why, for anything that is not a whole image of a known format.
    """
    if not data:
        raise UnreadableImage("the file is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > max_pixels:
            raise UnreadableImage(
                f"{width} x {height} pixels, more than the limit of {max_pixels / 1e6:g} megapixels"
            )
        if at_least is not None:
            image.draft("RGB", (2 * at_least, 2 * at_least))
        if (pixels := _decode_jpeg(data, image)) is not None:
            return pixels
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return np.array(_to_rgb(image))
    except UnreadableImage:
        raise
    except UnidentifiedImageError:
        raise UnreadableImage("not an image (known: JPEG, PNG, WebP, BMP, GIF)") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise UnreadableImage(f"damaged image: {error}") from error


def _decode_jpeg(data: bytes, image: Image.Image) -> Pixels | None:
    """The pixels that Pillow would decode, in two thirds of the time, and never holding Python's lock.

    image: opened, and scaled by `draft`, but not loaded. None for what is not quite a usual JPEG.
    """
    if image.format not in ("JPEG", "MPO") or image.mode not in ("RGB", "L"):
        return None
    columns, rows = image.size
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=rows, min_width=columns)
    except ValueError:  # damaged, perhaps only a little: that is for Pillow to say
        return None
    if pixels.shape != (rows, columns, 3):
        return None
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


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
) -> Pixels:
    """Encoded bytes → what an encoder reads: uint8 (size, size, 3).

    The whole picture is scaled to a square rather than cropped: what is asked about may lie at the edge.

    Raises: UnreadableImage.
    """
    return scaled(decode(data, max_pixels=max_pixels, at_least=size), size, size, resample)


def scaled(pixels: Pixels, width: int, height: int, resample: Image.Resampling) -> Pixels:
    """uint8 (h, w, 3) → uint8 (height, width, 3)."""
    if pixels.shape[:2] == (height, width):
        return pixels
    scale = SCALED.get(resample)
    if scale is None:
        return np.asarray(Image.fromarray(pixels).resize((width, height), resample))
    return scripted(scale)(torch.from_numpy(pixels), [height, width]).numpy()


def _bilinear(pixels: torch.Tensor, size: list[int]) -> torch.Tensor:
    """uint8 (h, w, 3) → uint8 (*size, 3)."""
    planes = pixels.unsqueeze(0).permute(0, 3, 1, 2)  # so that torch sees channels last, as in the result
    found = torch.ops.aten._upsample_bilinear2d_aa(planes, size, False, None, None)
    return found.squeeze(0).permute(1, 2, 0).contiguous()


def _bicubic(pixels: torch.Tensor, size: list[int]) -> torch.Tensor:
    planes = pixels.unsqueeze(0).permute(0, 3, 1, 2)
    found = torch.ops.aten._upsample_bicubic2d_aa(planes, size, False, None, None)
    return found.squeeze(0).permute(1, 2, 0).contiguous()


# torch scales as Pillow does, but for rounding, in a third of the time
SCALED = {Image.Resampling.BILINEAR: _bilinear, Image.Resampling.BICUBIC: _bicubic}


def thumbnail(data: bytes, width: int, *, max_pixels: float) -> bytes:
    """A JPEG at most `width` pixels wide and high; smaller pictures keep their size.

    Raises: UnreadableImage.
    """
    # Half: `decode` leaves a JPEG twice the size asked for, and here as many pixels as shown will do.
    pixels = decode(data, max_pixels=max_pixels, at_least=(width + 1) // 2)
    share = min(1.0, width / max(pixels.shape))
    rows, columns = (max(1, round(side * share)) for side in pixels.shape[:2])
    out = io.BytesIO()
    Image.fromarray(scaled(pixels, columns, rows, Image.Resampling.BICUBIC)).save(out, "JPEG", quality=87)
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
