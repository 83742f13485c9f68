"""One picture file: bytes in, upright RGBA out; or one sentence that says why not."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fogcatcher.base.read_json import plain_bytes

FORMATS = (
    *("PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "ICO", "QOI", "AVIF"),
    *("CUR", "ICNS", "PCX", "DDS", "JPEG2000", "TGA"),  # TGA has no signature, so it comes last
)
"""What Pillow may try. Its other formats stay shut: some of them start other programs."""
SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pfm", ".ico", ".qoi", ".avif", ".tga"}
    | {".cur", ".icns", ".pcx", ".dds", ".jp2", ".j2k", ".jpf", ".jpx"}
)
MAX_PIXELS = 50_000_000
"""Larger pictures are refused before they are decoded: 50 million RGBA pixels are 200 MB."""
MAX_BYTES = 200_000_000
MAX_FRAMES = 1000
LOOKED_AT = 64
"""Frames that are looked at to see whether anything moves."""

_SIGNATURES = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"qoif"),
    *(b"icns", b"DDS ", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
)
_LFS = b"version https://git-lfs.github.com/spec/"


class Unreadable(ValueError):
    """A file that cannot be used as a picture; the message completes the sentence "FILE ..."."""


def has_picture_content(head: bytes) -> bool:
    """Whether the first bytes of a file (16 are enough) are those of a picture, whatever its name."""
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"avif", b"avis")
    # "BM" alone is too little: the next four bytes of a bitmap are its size, two of the next four are zero.
    return head.startswith(_SIGNATURES) or (head[:2] == b"BM" and head[6:10] == b"\0\0\0\0")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return the first frame of a file as (H, W, 4) uint8 RGBA; see ``decode``."""
    try:
        content = plain_bytes(path, MAX_BYTES)
    except OSError as error:
        raise Unreadable(reason_of(error)) from error
    except ValueError as error:
        raise Unreadable(f"cannot be read: {error}") from error
    return decode(content)[0][1]


def reason_of(error: OSError) -> str:
    """Return why a file cannot be opened, in words that follow its name."""
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    return f"cannot be read ({error.strerror or error})"


def decode(content: bytes, every_frame: bool = False) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return (mode, (H, W, 4) uint8 RGBA) of the first frame that shows anything, or of every frame.

    Pictures come upright (EXIF), palettes and colour keys resolved, 16-bit and float grey scaled to 0..255,
    colour under alpha 0 zeroed. Raises Unreadable when the content is broken, no picture, or too large.
    """
    if not content:
        raise Unreadable("is empty (0 bytes)")
    if content.startswith(_LFS):
        raise Unreadable("is a Git LFS pointer, not the picture (run: git lfs pull)")
    with warnings.catch_warnings():
        # What a decoder has to say about odd metadata does not concern the pixels.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # of a picture inside another
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                _check_size(*image.size)
                if every_frame:
                    return [_frame(image, n) for n in range(min(getattr(image, "n_frames", 1), MAX_FRAMES))]
                first = _frame(image, 0)
                if first[1].any() or not _may_move(content):
                    return [first]
                return [next((frame for frame in _others(image) if frame[1].any()), first)]
        except Unreadable:
            raise
        except Image.UnidentifiedImageError as error:
            if has_picture_content(content[:16]):
                raise Unreadable("is broken (it begins like a picture, and no more)") from error
            raise Unreadable("is not a picture, whatever its name says") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
            raise Unreadable("is too large to decode") from error
        except Exception as error:  # hostile bytes can make a decoder raise anything
            raise Unreadable(f"is broken ({str(error) or type(error).__name__})") from error


def moves(content: bytes) -> str:
    """Return what an animation loses when one frame stands for it: "8 frames"; "" where nothing moves."""
    if not _may_move(content):
        return ""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
            warnings.simplefilter("ignore")
            _check_size(*image.size)
            first = _frame(image, 0)[1]
            if all(np.array_equal(first, frame) for _, frame in _others(image)):
                return ""
            empty = "" if first.any() else ", the first of them empty"
            return f"{getattr(image, 'n_frames', 1)} frames{empty}"
    except Exception:  # what is broken is told by ``decode``
        return ""


def _may_move(content: bytes) -> bool:
    """Whether the bytes are those of an animation: a GIF may be one, the others say so."""
    head = content[:4096]
    return head.startswith(b"GIF8") or b"acTL" in head or (head[:4] == b"RIFF" and b"ANIM" in head)


def _others(image: Image.Image) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The frames after the first, as far as they are looked at."""
    return (_frame(image, number) for number in range(1, min(getattr(image, "n_frames", 1), LOOKED_AT)))


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unreadable(
            f"is too large ({width}x{height}; at most {MAX_PIXELS / 1e6:.0f} million pixels are read)"
        )
    if width < 1 or height < 1:
        raise Unreadable(f"is broken (its size is {width}x{height})")


def _frame(image: Image.Image, number: int) -> tuple[str, NDArray[np.uint8]]:
    if number:
        image.seek(number)
    mode = image.mode
    key = _colour_key(image)
    image.load()
    try:
        upright = ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF data: the pixels are whole all the same
        upright = image
    rgba = np.array(_eight_bit(upright).convert("RGBA"))
    if key is not None:
        rgba[..., 3] = np.where(np.asarray(upright, np.uint32) == key, 0, 255)
    rgba[rgba[..., 3] == 0] = 0
    return mode, rgba


def _colour_key(image: Image.Image) -> int | None:
    """The grey that is transparent, where Pillow does not apply it: 16-bit grey, and grey of 2 or 4 bits.

    The latter it scales to 8 bits when it loads, but not their key.
    """
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return None
    if image.mode.startswith("I;16"):
        return key
    tiles = getattr(image, "tile", None) if image.mode == "L" else None
    scale = {"L;2": 85, "L;4": 17}.get(str(tiles[0].args)) if tiles else None
    return None if scale is None else key * scale


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale what has more than 8 bits; Pillow's own conversion would clip it to white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(_scaled(np.asarray(image, np.float64), 65535))
    if image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(values).all() and low >= 0 and high <= 65535):
            raise Unreadable(f"holds numbers from {low:g} to {high:g}; scale them to 0..1 or 0..255")
        top = 1 if image.mode == "F" and high <= 1 else 255 if high <= 255 else 65535
        return Image.fromarray(_scaled(values, top))
    # Pillow has no direct way from CMYK and its like to RGBA.
    return image if image.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA") else image.convert("RGB")


def _scaled(values: NDArray[np.float64], top: int) -> NDArray[np.uint8]:
    return np.floor(values * (255 / top) + 0.5).astype(np.uint8)
