"""Hostile and odd files, and what a careful reader must do with each: decided here, before anything is read.

``HOSTILE`` is the table. A kind says how to make its files and which fate they must meet:

    used       becomes a training picture; ``expect`` gives its pixels where they are exactly known
    duplicate  is readable, but shows the same pixels as a file whose name sorts before it
    skipped    claims to be a picture, by its content or its name, and cannot be used: counted, with a reason
    ignored    is no picture, or hidden, or a link, or no regular file: counted

Rules that settle the doubtful kinds. Content decides, not the name: a whole picture is used whatever it is
called, except for a backup (``~``), which is an older state of a picture that is there anyway. A link is
never followed: inside the folder its target is read anyway, outside may be what nobody meant to show. The
formats of editors (PSD, XCF, Aseprite, SVG) and of cameras (HEIC) want an export. Where damage cannot have
changed a pixel, the picture is used; what begins like a picture and cannot be used is "broken", not "not a
picture". "Too large" is more than 50 million pixels, or more than 200 MB of file.

Most pictures are 16 x 16 of seeded noise, different in every kind, with transparency where the mode has any.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

Fate = Literal["used", "duplicate", "skipped", "ignored"]
Rgba = NDArray[np.uint8]
Content = Callable[[str], Rgba]
Encode = Callable[[Rgba], bytes]
Make = Callable[[Path], list[Path]]

SIDE = 16
MIB = 2**20
NAME_REFUSED = {errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG}


@dataclass(frozen=True)
class Hostile:
    """One kind of file, and what must become of it."""

    kind: str
    """What it is, in short plain words; unique."""
    fate: Fate
    make: Make
    """Writes below the (fresh) folder it is given and returns the files, or none where this machine cannot.

    A folder that is not to be entered is returned in place of what it holds. Links out of the folder lead to
    a new folder beside it. A duplicate, or a link that stays inside, also writes its original, which is a
    kind of its own, and returns only itself.
    """
    reason: str
    """A piece of the sentence the reader must give for it, in lower case; "" where it need give none."""
    expect: Callable[[], Rgba] | None
    """For used: the (H, W, 4) uint8 RGBA that must come out, RGB under alpha 0 zero; None where lossy."""


def make_all(folder: Path) -> dict[str, Hostile]:
    """Make every kind below ``folder``, which is there and empty; return its relative name -> its kind."""
    made: dict[str, Hostile] = {}
    for hostile in HOSTILE:
        for path in hostile.make(folder):
            name = path.relative_to(folder).as_posix()
            assert name not in made, f"two kinds are called {name!r}"
            made[name] = hostile
    return made


# --- contents: (16, 16, 4) noise, a function of the kind's name -----------------------------------


def _noise(kind: str, *shape: int) -> Rgba:
    return np.random.default_rng(zlib.crc32(kind.encode())).integers(0, 256, shape, dtype=np.uint8)


def opaque(kind: str, height: int = SIDE, width: int = SIDE) -> Rgba:
    """RGB noise, opaque everywhere."""
    rgba = _noise(kind, height, width, 4)
    rgba[..., 3] = 255
    return rgba


def holes(kind: str, height: int = SIDE, width: int = SIDE) -> Rgba:
    """RGB noise, half of it transparent."""
    rgba = _noise(kind, height, width, 4)
    rgba[..., 3] = np.where(rgba[..., 3] < 128, 0, 255)
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def soft(kind: str) -> Rgba:
    """RGB noise with every degree of alpha."""
    rgba = _noise(kind, SIDE, SIDE, 4)
    rgba[0, :2, 3] = 0, 255
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def grey(kind: str) -> Rgba:
    """Opaque grey noise."""
    return _from_grey(_noise(kind, SIDE, SIDE))


def soft_grey(kind: str) -> Rgba:
    """Grey noise with every degree of alpha."""
    rgba = soft(kind)
    rgba[..., 1:3] = rgba[..., :1]
    return rgba


def grey_holes(kind: str) -> Rgba:
    """Grey noise, half of it transparent; black nowhere else."""
    rgba = holes(kind)
    rgba[..., 1:3] = rgba[..., :1] = np.where(rgba[..., 3] == 255, rgba[..., 0] | 1, 0)[..., None]
    return rgba


def black_and_white(kind: str) -> Rgba:
    """Opaque noise of two colours."""
    return _from_grey(np.where(_noise(kind, SIDE, SIDE) < 128, np.uint8(0), np.uint8(255)))


def four_greys(kind: str) -> Rgba:
    """Opaque noise of the greys 0, 85, 170 and 255."""
    return _from_grey(_noise(kind, SIDE, SIDE) // 64 * np.uint8(85))


def three_greys_and_holes(kind: str) -> Rgba:
    """The same, with holes where 85 would be."""
    rgba = four_greys(kind)
    rgba[rgba[..., 0] == 85] = 0
    return rgba


def few_colours(kind: str, colours: int = 8) -> Rgba:
    """Opaque noise of a few colours; none is black, every one is there."""
    rgba = _palette(kind, colours)[_noise(kind, SIDE, SIDE) % colours]
    rgba[0, :colours] = _palette(kind, colours)
    return rgba


def few_colours_and_holes(kind: str) -> Rgba:
    """The same, with the first colour transparent."""
    rgba = few_colours(kind)
    rgba[(rgba == rgba[0, 0]).all(-1)] = 0
    return rgba


def few_soft_colours(kind: str) -> Rgba:
    """The same, where every colour has an alpha of its own, the first 0."""
    rgba = few_colours(kind)
    colours = rgba[0, :8].copy()
    for alpha, colour in zip(range(0, 256, 36), colours, strict=True):
        rgba[(rgba[..., :3] == colour[:3]).all(-1), 3] = alpha
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def _palette(kind: str, colours: int) -> Rgba:
    """(colours, 4), opaque, all different."""
    rgba = _noise(kind + " palette", colours, 4) | np.uint8(1)
    rgba[:, 0] = np.linspace(20, 250, colours)
    rgba[:, 3] = 255
    return rgba


def _from_grey(values: Rgba) -> Rgba:
    return np.dstack([values, values, values, np.full_like(values, 255)])


# --- PNG, written by hand so that every part of it can be wrong ------------------------------------

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_GREY, PNG_RGB, PNG_PALETTE, PNG_RGBA = 0, 2, 3, 6


def _chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _header(width: int, height: int, depth: int = 8, colour: int = PNG_RGBA, interlaced: int = 0) -> bytes:
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def _lines(rows: NDArray[Any]) -> bytes:
    """(H, anything) -> the unfiltered lines of a PNG, numbers of 16 bits big-endian."""
    flat = rows.reshape(len(rows), -1)
    flat = flat.astype(">u2") if flat.dtype.itemsize == 2 else flat
    return b"".join(b"\0" + line.tobytes() for line in flat)


def _idat(rows: NDArray[Any]) -> bytes:
    return _chunk(b"IDAT", zlib.compress(_lines(rows)))


def _png(
    rgba: Rgba,
    before: bytes = b"",
    after: bytes = b"",
    end: bytes = _chunk(b"IEND"),
    header: bytes = b"",
    idat: bytes = b"",
) -> bytes:
    """A PNG, RGBA of 8 bits unless ``header`` and ``idat`` say otherwise, with chunks around the pixels."""
    header = header or _header(rgba.shape[1], rgba.shape[0])
    return PNG_START + header + before + (idat or _idat(rgba)) + after + end


def _png_with(name: bytes, data: bytes) -> Encode:
    """A PNG with one more chunk before the pixels."""
    return partial(_png, before=_chunk(name, data))


def _png_of(numbers: NDArray[Any], depth: int, colour: int, before: bytes = b"") -> bytes:
    """A PNG of (H, W) or (H, W, channels) numbers; those of less than 8 bits are packed."""
    header = _header(numbers.shape[1], numbers.shape[0], depth, colour)
    if depth < 8:
        bits = np.unpackbits(numbers.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        numbers = np.packbits(bits.reshape(len(bits), -1), axis=1)
    return _png(numbers, before, header=header, idat=_idat(numbers))


def _interlaced(rgba: Rgba) -> bytes:
    """Adam7 (PNG specification, 8.2): seven pictures on ever finer grids."""
    grids = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    passes = [rgba[top::down, left::right] for top, left, down, right in grids]
    lines = b"".join(_lines(part) for part in passes if part.size)
    header = _header(rgba.shape[1], rgba.shape[0], interlaced=1)
    return _png(rgba, header=header, idat=_chunk(b"IDAT", zlib.compress(lines)))


def _palette_png(rgba: Rgba, depth: int = 8) -> bytes:
    indices, palette = _indexed(rgba)
    chunks = _chunk(b"PLTE", palette[:, :3].tobytes()) + _chunk(b"tRNS", palette[:, 3].tobytes())
    return _png_of(indices, depth, PNG_PALETTE, chunks)


def _colour_key_png(rgba: Rgba) -> bytes:
    """RGB where black counts as transparent."""
    return _png_of(rgba[..., :3], 8, PNG_RGB, _chunk(b"tRNS", bytes(6)))


def _deep_colour_key_png(rgba: Rgba) -> bytes:
    """The same in 16 bits."""
    return _png_of(_sixteen_bit(rgba[..., :3]), 16, PNG_RGB, _chunk(b"tRNS", bytes(6)))


def _grey_key_png(rgba: Rgba) -> bytes:
    """Grey where black counts as transparent."""
    return _png_of(rgba[..., 0], 8, PNG_GREY, _chunk(b"tRNS", bytes(2)))


def _two_bit_key_png(rgba: Rgba) -> bytes:
    """Grey of 2 bits, where the number 1, which is the grey 85, counts as transparent."""
    numbers = np.where(rgba[..., 3] == 0, 1, rgba[..., 0] // 85)
    return _png_of(numbers, 2, PNG_GREY, _chunk(b"tRNS", b"\0\1"))


def _sixteen_bit(values: Rgba) -> NDArray[np.uint16]:
    """v * 257: every sound way back to 8 bits gives v."""
    return values.astype(np.uint16) * 257


def _sixteen_bit_png(rgba: Rgba) -> bytes:
    """RGB where there is no transparency, else RGBA."""
    if (rgba[..., 3] == 255).all():
        return _png_of(_sixteen_bit(rgba[..., :3]), 16, PNG_RGB)
    return _png_of(_sixteen_bit(rgba), 16, PNG_RGBA)


def _junk_png(rgba: Rgba) -> bytes:
    """The same to the eye: magenta where nothing is seen."""
    rgba = rgba.copy()
    rgba[rgba[..., 3] == 0] = (255, 0, 255, 0)
    return _png(rgba)


def _wrong_crc(chunk: bytes) -> bytes:
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


def _wrong_adler(rgba: Rgba) -> bytes:
    """The checksum of the pixels is the end of their stream."""
    return _chunk(b"IDAT", _wrong_crc(zlib.compress(_lines(rgba))))


def _crumbs(rgba: Rgba) -> bytes:
    return b"".join(_chunk(b"IDAT", bytes([byte])) for byte in zlib.compress(_lines(rgba)))


def _short_idat(rgba: Rgba) -> bytes:
    return _chunk(b"IDAT", zlib.compress(_lines(rgba)[:-32]))


def _damaged_png(rgba: Rgba) -> bytes:
    png = bytearray(_png(rgba))
    middle = png.index(b"IDAT") + 40
    png[middle : middle + 9] = bytes(9)
    return bytes(png)


def _apple_png(rgba: Rgba) -> bytes:
    """What Xcode makes of a PNG: BGRA, deflated without a zlib header."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    raw = packer.compress(_lines(rgba[..., [2, 1, 0, 3]])) + packer.flush()
    header = _chunk(b"CgBI", b"P\0 \2") + _header(SIDE, SIDE)
    return _png(rgba, header=header, idat=_chunk(b"IDAT", raw))


def _deflated(start: bytes, zeros: int) -> bytes:
    """A zlib stream of ``start`` and then that many MiB of zeros, made without making the zeros."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    high, low = divmod(zlib.adler32(start), 2**16)
    checksum = (high + zeros * MIB * low) % 65521 * 2**16 + low
    return b"\x78\xda" + first + block * zeros + packer.flush() + struct.pack(">I", checksum)


def _idat_bomb(start: bytes, zeros: int) -> bytes:
    return _chunk(b"IDAT", _deflated(start, zeros))


def _zeros_png(rgba: Rgba) -> bytes:
    """20000 lines of 20001 zeros are 382 MiB, rounded up."""
    return _png(rgba, header=_header(20_000, 20_000, colour=PNG_GREY), idat=_idat_bomb(b"", 382))


# --- numbers of 16 bits -----------------------------------------------------------------------------


def _grey_16(kind: str) -> NDArray[np.uint16]:
    """(16, 16) grey of every degree, most of them between two of the 8-bit ones; a quarter is 40000."""
    values = _noise(kind, SIDE, SIDE).astype(np.uint16) * 256 + _noise(kind + " low", SIDE, SIDE)
    values[0, :4] = 0, 65535, 40000, 40001
    values[1:4] = 40000
    return values


def grey_of_16_bits(kind: str) -> Rgba:
    """What ``_grey_16`` is in 8 bits: v * 255 / 65535, rounded."""
    return _from_grey(np.rint(_grey_16(kind) * (255 / 65535)).astype(np.uint8))


def grey_of_16_bits_and_holes(kind: str) -> Rgba:
    """The same, with holes where 40000 is (and none where 40001 is, which is the same in 8 bits)."""
    rgba = grey_of_16_bits(kind)
    rgba[_grey_16(kind) == 40000] = 0
    return rgba


# --- other formats ----------------------------------------------------------------------------------


def _saved(form: str, mode: str = "RGBA", **options: Any) -> Encode:
    """Pillow's encoder, with Pillow's options."""
    return lambda rgba: _bytes_of(Image.fromarray(rgba).convert(mode), form, **options)


def _bytes_of(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _indexed(rgba: Rgba) -> tuple[NDArray[np.uint8], Rgba]:
    """(H, W) indices and the (colours, 4) palette, colours in order of their bytes."""
    palette, indices = np.unique(rgba.reshape(-1, 4), axis=0, return_inverse=True)
    return indices.reshape(rgba.shape[:2]).astype(np.uint8), palette


def _as_palette(rgba: Rgba) -> Image.Image:
    """Mode P; colour 0 is the transparent one, if there is one."""
    indices, palette = _indexed(rgba)
    image = Image.fromarray(indices)
    image.putpalette(palette[:, :3].tobytes())
    return image


def _saved_palette(form: str, transparency: int | None = None) -> Encode:
    """Mode P; ``transparency`` 0 says that colour 0 is none."""
    chosen = {} if transparency is None else {"transparency": transparency}
    return lambda rgba: _bytes_of(_as_palette(rgba), form, **chosen)


def _moving(form: str, mode: str = "RGBA", **options: Any) -> Encode:
    """Three frames: the picture, then its negative, then black."""

    def encode(rgba: Rgba) -> bytes:
        negative = rgba.copy()
        negative[..., :3] = 255 - negative[..., :3]
        frames = [Image.fromarray(a).convert(mode) for a in (rgba, negative, negative * np.uint8(0))]
        first = _as_palette(rgba) if form == "GIF" else frames[0]
        return _bytes_of(first, form, save_all=True, append_images=frames[1:], **options)

    return encode


def _gif_screen(rgba: Rgba, side: int) -> bytes:
    """A GIF that claims another size for the whole than for its frame."""
    gif = _saved_palette("GIF")(rgba)
    return gif[:6] + struct.pack("<HH", side, side) + gif[10:]


def _webp(rgba: Rgba) -> bytes:
    return _saved("WEBP", lossless=True)(rgba)


def _long_webp(rgba: Rgba) -> bytes:
    webp = _webp(rgba)
    return webp[:4] + struct.pack("<I", 2**31 - 1) + webp[8:]


def _jpeg_size(rgba: Rgba, height: int, width: int) -> bytes:
    """A JPEG whose frame header (SOF0) claims another size."""
    jpeg = _saved("JPEG", "RGB")(rgba)
    start = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def _flipped_jpeg(rgba: Rgba) -> bytes:
    """Some of the coded pixels are overwritten: a JPEG has no checksum, so no reader can tell."""
    jpeg = bytearray(_saved("JPEG", "RGB")(rgba))
    start = jpeg.index(b"\xff\xda") + 30
    jpeg[start : start + 20] = bytes(range(20))
    return bytes(jpeg)


TIFF_GREY = {258: [8], 262: [1], 277: [1]}
TIFF_RGB = {258: [8, 8, 8], 262: [2], 277: [3]}
TIFF_RGBA = {258: [8, 8, 8, 8], 262: [2], 277: [4]}


def _tiff(
    pixels: bytes, tags: dict[int, list[int]], order: str = "<", following: int = 0, offset: int = 8
) -> bytes:
    """One uncompressed strip of 16 x 16 and its directory (TIFF 6.0, section 2), all numbers long.

    ``following`` is where the next directory is said to be, ``offset`` where the pixels are.
    """
    usual = {256: [SIDE], 257: [SIDE], 259: [1], 273: [offset], 278: [SIDE], 279: [len(pixels)]}
    tags = dict(sorted((usual | tags).items()))
    start = 8 + len(pixels)
    spill_at = start + 2 + 12 * len(tags) + 4
    entries, spill = b"", b""
    for tag, values in tags.items():
        data = struct.pack(f"{order}{len(values)}I", *values)
        where = data if len(values) == 1 else struct.pack(order + "I", spill_at + len(spill))
        entries += struct.pack(order + "HHI", tag, 4, len(values)) + where
        spill += b"" if len(values) == 1 else data
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    directory = struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following)
    return head + pixels + directory + spill


def _rgb_tiff(
    rgba: Rgba, tags: dict[int, list[int]] | None = None, following: int = 0, offset: int = 8
) -> bytes:
    return _tiff(rgba[..., :3].tobytes(), TIFF_RGB | (tags or {}), following=following, offset=offset)


def _float_tiff(values: NDArray[np.floating]) -> bytes:
    """(16, 16) numbers of 32 bits, black to white upwards."""
    return _tiff(values.astype("<f4").tobytes(), TIFF_GREY | {258: [32], 339: [3]})


def _negative_tiff(rgba: Rgba) -> bytes:
    return _tiff((255 - rgba[..., 0]).tobytes(), TIFF_GREY | {262: [0]})


def _lab_tiff(rgba: Rgba) -> bytes:
    """Lightness and no colour."""
    return _rgb_tiff(rgba * np.array([1, 0, 0, 0], np.uint8), {262: [8]})


def _bmp(pixels: bytes, bits: int, height: int = SIDE) -> bytes:
    """The old Windows header of 40 bytes; a negative height means that the top line comes first."""
    info = struct.pack("<IiiHHIIiiII", 40, SIDE, height, 1, bits, 0, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + info + pixels


def _bgr0(rgba: Rgba) -> bytes:
    """Four bytes a pixel, the last one 0: what old programs wrote where alpha would be."""
    return np.dstack([rgba[..., 2::-1], np.zeros_like(rgba[..., 0])]).tobytes()


def _bmp_with_alpha(rgba: Rgba) -> bytes:
    """The header of 108 bytes, which says by masks where each channel is."""
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    pixels = rgba[::-1][..., [2, 1, 0, 3]].tobytes()
    info = struct.pack("<IiiHHIIiiII", 108, SIDE, SIDE, 1, 32, 3, len(pixels), 0, 0, 0, 0) + masks
    return b"BM" + struct.pack("<IHHI", 122 + len(pixels), 0, 0, 122) + info + pixels


def _qoi(rgba: Rgba) -> bytes:
    """Every pixel spelled out (qoiformat.org: QOI_OP_RGBA)."""
    pixels = b"".join(b"\xff" + pixel.tobytes() for pixel in rgba.reshape(-1, 4))
    return b"qoif" + struct.pack(">IIBB", rgba.shape[1], rgba.shape[0], 4, 0) + pixels + bytes(7) + b"\1"


def _ico(picture: bytes) -> bytes:
    """One icon of 16 x 16, which may be a whole PNG."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, SIDE, SIDE, 0, 0, 1, 32, len(picture), 22) + picture


def _portable(mark: str, pixels: bytes) -> bytes:
    """PBM, PGM or PPM in binary form: "P4", "P5 WHITE" or "P6 WHITE"."""
    kind, _, white = mark.partition(" ")
    return f"{kind}\n# made by hand\n{SIDE} {SIDE}\n{white}{white and chr(10)}".encode() + pixels


def _ppm(rgba: Rgba) -> bytes:
    return _portable("P6 255", rgba[..., :3].tobytes())


# --- EXIF -------------------------------------------------------------------------------------------

EXIF_CIRCLE = b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 0)
"""A directory whose only entry says that its sub-directory is itself."""


def _exif(orientation: int) -> bytes:
    return b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _exif_chunk(orientation: int) -> bytes:
    return _chunk(b"eXIf", _exif(orientation)[6:])


def _jpeg_with_exif(exif: bytes, rgba: Rgba) -> bytes:
    jpeg = _saved("JPEG", "RGB")(rgba)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def _stored(upright: Rgba, orientation: int) -> Rgba:
    """What a camera held that way has stored (EXIF 2.3, tag 274): where row 0 and column 0 belong."""
    sideways = upright.swapaxes(0, 1)
    return {
        1: upright,  # top, left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: sideways,  # left, top
        6: sideways[::-1],  # right, top
        7: sideways[::-1, ::-1],  # right, bottom
        8: sideways[:, ::-1],  # left, bottom
    }[orientation].copy()


# --- what is no picture -----------------------------------------------------------------------------

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a5" * 32 + b"\nsize 4096\n"
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>\n'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n%%EOF\n"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
MP4 = struct.pack(">I4s4sI4s4sI4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp42", 108, b"mdat") + bytes(100)
HEIC = struct.pack(">I4s4sI4s4sI4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic", 108, b"mdat") + bytes(100)
XCF = b"gimp xcf v011\0" + struct.pack(">III", SIDE, SIDE, 0) + bytes(32)
ASEPRITE = struct.pack("<IHHHHH114xIH10x", 144, 0xA5E0, 1, SIDE, SIDE, 32, 16, 0xF1FA)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def _psd() -> bytes:
    """A whole Photoshop file, merged picture and all."""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, SIDE, SIDE, 8, 3)
    return head + bytes(14) + opaque("psd")[..., :3].transpose(2, 0, 1).tobytes()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("inside.png"), _png(holes("in a zip")))
    return file.getvalue()


# --- makers: how a kind gets onto the disk ----------------------------------------------------------


def _write(name: str, data: Callable[[], bytes]) -> Make:
    def make(folder: Path) -> list[Path]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path) and path.name not in os.listdir(path.parent):
            return []  # this file system takes two spellings for one name
        try:
            path.write_bytes(data())
        except OSError as error:
            if error.errno in NAME_REFUSED:
                return []
            raise
        return [path]

    return make


def _unentered(top: str, inside: str) -> Make:
    """A picture in a folder that is not to be entered."""

    def make(folder: Path) -> list[Path]:
        _write(f"{top}/{inside}", lambda: _png(holes(top)))(folder)
        return [folder / top]

    return make


def _empty_folder(name: str) -> Make:
    def make(folder: Path) -> list[Path]:
        (folder / name).mkdir(parents=True)
        return [folder / name]

    return make


def _with_mode(name: str, mode: int, data: Callable[[], bytes]) -> Make:
    def make(folder: Path) -> list[Path]:
        made = _write(name, data)(folder)
        (folder / name).chmod(mode)
        return made

    return make


def _closed_folder(name: str) -> Make:
    def make(folder: Path) -> list[Path]:
        if os.geteuid() == 0:
            return []
        (folder / name).mkdir()
        (folder / name).chmod(0)
        return [folder / name]

    return make


def _closed_file(name: str) -> Make:
    def make(folder: Path) -> list[Path]:
        return [] if os.geteuid() == 0 else _with_mode(name, 0, lambda: _png(holes(name)))(folder)

    return make


def _node(name: str, mode: int, device: int = 0) -> Make:
    """A pipe, a socket or a device; most people may not make devices."""

    def make(folder: Path) -> list[Path]:
        try:
            os.mknod(folder / name, mode | 0o600, device)
        except PermissionError:
            return []
        return [folder / name]

    return make


def _link(name: str, target: str) -> Make:
    """A symbolic link to a name in its own folder, which need not exist."""

    def make(folder: Path) -> list[Path]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)
        return [folder / name]

    return make


def _link_outside(name: str, target: str) -> Make:
    """A symbolic link to a picture in a folder beside the one to be read, or to that folder."""

    def make(folder: Path) -> list[Path]:
        outside = folder.with_name(f"{folder.name} outside")
        _write("secret.png", lambda: _png(holes("a picture that nobody meant to show")))(outside)
        return _link(name, str(outside / target))(folder)

    return make


def _after(original: Hostile, make: Make) -> Make:
    """Make sure that the original is there first."""

    def both(folder: Path) -> list[Path]:
        original.make(folder)
        return make(folder)

    return both


def _hard_link(name: str, target: str) -> Make:
    def make(folder: Path) -> list[Path]:
        (folder / name).hardlink_to(folder / target)
        return [folder / name]

    return make


def _sparse(name: str, size: int) -> Make:
    """A file that says it is ``size`` bytes long and takes up next to nothing."""

    def make(folder: Path) -> list[Path]:
        with open(folder / name, "wb") as file:
            file.write(_png(holes(name)))
            file.truncate(size)
        return [folder / name]

    return make


# --- the table ------------------------------------------------------------------------------------


def _used(kind: str, suffix: str, encode: Encode, content: Content = holes, exact: bool = True) -> Hostile:
    """The file is called like its kind."""
    return _used_as(kind, kind + suffix, encode, content, exact)


def _used_as(kind: str, name: str, encode: Encode, content: Content = holes, exact: bool = True) -> Hostile:
    expect = partial(content, kind)
    return Hostile(kind, "used", _write(name, lambda: encode(expect())), "", expect if exact else None)


def _lossy(kind: str, suffix: str, encode: Encode, content: Content = opaque) -> Hostile:
    return _used(kind, suffix, encode, content, exact=False)


def _skipped(kind: str, suffix: str, reason: str, data: Callable[[], bytes]) -> Hostile:
    return Hostile(kind, "skipped", _write(kind + suffix, data), reason, None)


def _broken(kind: str, suffix: str, encode: Encode) -> Hostile:
    return _skipped(kind, suffix, "broken", lambda: encode(few_colours(kind)))


def _ignored(kind: str, name: str, reason: str, data: Callable[[], bytes]) -> Hostile:
    return Hostile(kind, "ignored", _write(name, data), reason, None)


def _modes() -> list[Hostile]:
    """What a PNG can hold."""
    four_colours = partial(few_colours, colours=4)
    one_line = partial(holes, height=1)
    return [
        _used("RGBA with holes", ".png", _png),
        _used("RGBA with soft alpha", ".png", _png, soft),
        _used("RGB", ".png", _saved("PNG", "RGB"), opaque),
        _used("RGB with a transparent colour", ".png", _colour_key_png, few_colours_and_holes),
        _used("grey", ".png", _saved("PNG", "L"), grey),
        _used("grey with alpha", ".png", _saved("PNG", "LA"), soft_grey),
        _used("grey with a transparent value", ".png", _grey_key_png, grey_holes),
        _used("black and white, 1 bit", ".png", _saved("PNG", "1"), black_and_white),
        _used("grey of 2 bits", ".png", lambda a: _png_of(a[..., 0] // 85, 2, PNG_GREY), four_greys),
        _used("grey of 2 bits with a transparent value", ".png", _two_bit_key_png, three_greys_and_holes),
        _used("palette", ".png", _saved_palette("PNG"), few_colours),
        _used("palette of 2 bits", ".png", partial(_palette_png, depth=2), four_colours),
        _used("palette of 4 bits", ".png", partial(_palette_png, depth=4), few_colours),
        _used("palette with alphas", ".png", _palette_png, few_soft_colours),
        _used("palette with one transparent colour", ".png", _saved_palette("PNG", 0), few_colours_and_holes),
        _used("RGB of 16 bits", ".png", _sixteen_bit_png, opaque),
        _used("RGBA of 16 bits", ".png", _sixteen_bit_png, soft),
        _used(
            "RGB of 16 bits with a transparent colour", ".png", _deep_colour_key_png, few_colours_and_holes
        ),
        _used("interlaced PNG", ".png", _interlaced),
        _used("interlaced PNG of one line", ".png", _interlaced, one_line),
        _used("wholly transparent picture", ".png", _png, lambda kind: holes(kind) * np.uint8(0)),
    ]


def _numbers() -> list[Hostile]:
    """Grey as numbers that do not fit into a byte."""

    def deep(kind: str, suffix: str, encode: Callable[[NDArray[np.uint16]], bytes]) -> Hostile:
        make = _write(kind + suffix, lambda: encode(_grey_16(kind)))
        return Hostile(kind, "used", make, "", partial(grey_of_16_bits, kind))

    def pgm(values: NDArray[np.uint16]) -> bytes:
        return _portable("P5 65535", values.astype(">u2").tobytes())

    def big_endian_tiff(values: NDArray[np.uint16]) -> bytes:
        return _tiff(values.astype(">u2").tobytes(), TIFF_GREY | {258: [16]}, order=">")

    def long_tiff(values: NDArray[np.uint16]) -> bytes:
        return _tiff(values.astype("<u4").tobytes(), TIFF_GREY | {258: [32]})

    keyed = "grey of 16 bits with a transparent value"
    key = _chunk(b"tRNS", struct.pack(">H", 40000))
    make_keyed = _write(f"{keyed}.png", lambda: _png_of(_grey_16(keyed), 16, PNG_GREY, key))
    return [
        deep("grey of 16 bits", ".png", partial(_png_of, depth=16, colour=PNG_GREY)),
        Hostile(keyed, "used", make_keyed, "", partial(grey_of_16_bits_and_holes, keyed)),
        deep("PGM of 16 bits", ".pgm", pgm),
        deep("big-endian TIFF of 16 bits", ".tif", big_endian_tiff),
        deep("TIFF of 32-bit whole numbers", ".tif", long_tiff),
        _used("float TIFF from 0 to 1", ".tif", lambda a: _float_tiff(a[..., 0] / np.float32(255)), grey),
        _used("float TIFF from 0 to 255", ".tif", lambda a: _float_tiff(a[..., 0].astype("<f4")), grey),
        _skipped("float TIFF with NaN", ".tif", "numbers", lambda: _float_tiff(np.full((16, 16), np.nan))),
        _skipped("float TIFF up to 1e9", ".tif", "numbers", lambda: _float_tiff(np.eye(16) * 1e9)),
    ]


def _formats() -> list[Hostile]:
    """Formats other than PNG, and how their bytes may lie."""
    avif = [_lossy("AVIF", ".avif", _saved("AVIF"), holes)] if features.check("avif") else []
    return [
        _lossy("JPEG", ".jpg", _saved("JPEG", "RGB")),
        _lossy("progressive JPEG", ".jpg", _saved("JPEG", "RGB", progressive=True)),
        _lossy("CMYK JPEG", ".jpg", _saved("JPEG", "CMYK")),
        _lossy("JPEG of several pictures (MPO)", ".jpg", _moving("MPO", "RGB")),
        _used("GIF", ".gif", _saved_palette("GIF"), few_colours),
        _used("GIF with a transparent colour", ".gif", _saved_palette("GIF", 0), few_colours_and_holes),
        _lossy("WebP", ".webp", _saved("WEBP"), holes),
        _used("lossless WebP", ".webp", _webp),
        *avif,
        _used("BMP", ".bmp", _saved("BMP", "RGB"), opaque),
        _used("BMP with a palette", ".bmp", _saved_palette("BMP"), few_colours),
        _used(
            "BMP from the top down", ".bmp", lambda a: _bmp(a[..., 2::-1].tobytes(), 24, height=-16), opaque
        ),
        _used("BMP whose fourth byte is 0", ".bmp", lambda a: _bmp(_bgr0(a[::-1]), 32), opaque),
        _used("BMP with an alpha mask", ".bmp", _bmp_with_alpha),
        _used("TIFF with LZW", ".tiff", _saved("TIFF", compression="tiff_lzw")),
        _used("CMYK TIFF", ".tif", _saved("TIFF", "CMYK"), opaque),
        _lossy("Lab TIFF", ".tif", _lab_tiff),
        _used("TIFF whose white is 0", ".tif", _negative_tiff, grey),
        _used("TIFF with multiplied alpha", ".tif", lambda a: _tiff(a.tobytes(), TIFF_RGBA | {338: [1]})),
        _used("TIFF of several pages", ".tif", _moving("TIFF")),
        _used("TIFF whose pages go in a circle", ".tif", partial(_rgb_tiff, following=8 + 3 * 256), opaque),
        _used(
            "TIFF with absurd tags",
            ".tif",
            lambda a: _rgb_tiff(a, {278: [2**32 - 1], 65000: [0] * 99}),
            opaque,
        ),
        _used("ICO", ".ico", _saved("ICO")),
        _used("TGA", ".tga", _saved("TGA")),
        _used("QOI", ".qoi", _qoi, soft),
        _used("PPM", ".ppm", _ppm, opaque),
        _used(
            "PBM", ".pbm", lambda a: _portable("P4", np.packbits(a[..., 0] == 0).tobytes()), black_and_white
        ),
    ]


def _turned() -> list[Hostile]:
    """Pictures that a camera stored sideways, and what may be wrong with the note that says so."""

    def png(orientation: int) -> Encode:
        return lambda a: _png(_stored(a, orientation), _exif_chunk(orientation))

    def sideways(form: str, mode: str, **options: Any) -> Encode:
        return lambda a: _saved(form, mode, exif=_exif(6), **options)(_stored(a, 6))

    return [
        *[_used(f"EXIF orientation {n}", ".png", png(n)) for n in range(1, 9)],
        _used("EXIF orientation 9, which there is not", ".png", lambda a: _png(a, _exif_chunk(9))),
        _used("EXIF after the pixels", ".png", lambda a: _png(_stored(a, 6), after=_exif_chunk(6))),
        _lossy("JPEG stored sideways", ".jpg", sideways("JPEG", "RGB")),
        _used("WebP stored sideways", ".webp", sideways("WEBP", "RGBA", lossless=True)),
        _used("TIFF stored sideways", ".tif", lambda a: _rgb_tiff(_stored(a, 6), {274: [6]}), opaque),
        _used("PNG with nonsense for EXIF", ".png", _png_with(b"eXIf", b"nonsense")),
        _lossy("JPEG with EXIF cut short", ".jpg", partial(_jpeg_with_exif, _exif(6)[:-5])),
        _lossy("JPEG with EXIF in a circle", ".jpg", partial(_jpeg_with_exif, EXIF_CIRCLE)),
    ]


def _frames() -> list[Hostile]:
    """Moving pictures: the first frame is the picture."""
    endless = _png_with(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    return [
        _used("animated GIF", ".gif", _moving("GIF", "RGB"), few_colours),
        _used("animated PNG", ".png", _moving("PNG")),
        _used("animated WebP", ".webp", _moving("WEBP", lossless=True)),
        _used("PNG that promises 2 thousand million frames", ".png", endless),
        _used("GIF with a screen of 0 x 0", ".gif", partial(_gif_screen, side=0), few_colours),
        _used("GIF larger than its screen", ".gif", partial(_gif_screen, side=4), few_colours),
        _broken("GIF without a frame", ".gif", lambda a: b"GIF89a\x10\0\x10\0\0\0\0;"),
    ]


NAMES = {
    "upper-case suffix": "LOUD.PNG",
    "no suffix": "no suffix",
    "PNG named .txt": "disguise.txt",
    "PNG named .dat": "sprite.dat",
    "PNG named .jpg": "really a png.jpg",
    "whole PNG named .png.part": "download.png.part",
    "name with spaces at both ends": " spaces .png ",
    "name with an accent, composed": "caf\u00e9.png",
    "name with an accent, decomposed": "cafe\u0301.png",
    "name in Japanese": "\u5fcd\u8005.png",
    "name with an emoji": "\U0001f9d9\u200d\u2640\ufe0f.png",
    "name written from right to left": "\u202egnp.\u05d0.png",
    "name with a new line": "two\nlines.png",
    "name that would colour a terminal": "\x1b[31mred\x1b[0m.png",
    "name that begins with a dash": "-rf.png",
    "name with quotes": 'it\'s "quoted".png',
    "name with percent signs and brackets": "100%s {0} [bold].png",
    "name with a backslash": "back\\slash.png",
    "name that ends with a dot": "dot.png.",
    "name that Windows reserves": "CON.png",
    "name of 250 bytes": "x" * 246 + ".png",
    "name that is not UTF-8": os.fsdecode(b"latin\xe9.png"),
    "30 folders down": "/".join(["down"] * 30) + "/deep.png",
    "in a folder named like a picture": "folder.png/inside.png",
}


def _names() -> list[Hostile]:
    """Names and places; content decides."""
    jpeg = _saved("JPEG", "RGB")
    sealed = "read-only file"
    make_sealed = _with_mode("read only.png", 0o400, lambda: _png(holes(sealed)))
    return [
        *[_used_as(kind, name, _png) for kind, name in NAMES.items()],
        _used_as("JPEG named .png", "really a jpeg.png", jpeg, opaque, exact=False),
        _used_as("JPEG named .JpG", "Mixed.JpG", jpeg, opaque, exact=False),
        _used_as("GIF named .bmp", "really a gif.bmp", _saved_palette("GIF"), few_colours),
        Hostile(sealed, "used", make_sealed, "", partial(holes, sealed)),
    ]


def _sizes() -> list[Hostile]:
    def flat(kind: str) -> Rgba:
        return np.full((2000, 3000, 4), (90, 160, 70, 255), np.uint8)

    return [
        _used("1 x 1", ".png", _png, partial(opaque, height=1, width=1)),
        _used("1 wide, 200 high", ".png", _png, partial(opaque, height=200, width=1)),
        _used("200 wide, 1 high", ".png", _png, partial(opaque, height=1, width=200)),
        _used("3000 x 2000 of one colour", ".png", _saved("PNG", "RGB", compress_level=1), flat),
    ]


def _odd_but_whole() -> list[Hostile]:
    """Damage and oddities beside the pixels."""
    late = _wrong_crc(_chunk(b"tEXt", b"author\0me"))
    return [
        _used("PNG with rubbish after its end", ".png", lambda a: _png(a) + b"rubbish" * 99),
        _used("PNG without its end", ".png", partial(_png, end=b"")),
        _used("PNG whose end is cut", ".png", lambda a: _png(a)[:-6]),
        _used("PNG with a private chunk", ".png", _png_with(b"prVt", b"mine")),
        _used("PNG with an unknown critical chunk", ".png", _png_with(b"NEWS", b"new")),
        _used("PNG with an absurd gamma", ".png", _png_with(b"gAMA", b"\0\0\0\1")),
        _used("PNG with a broken colour profile", ".png", _png_with(b"iCCP", b"x\0\0nonsense")),
        _used("PNG with a broken zTXt", ".png", _png_with(b"zTXt", b"x\0\0nonsense")),
        _used("PNG with a tEXt without a value", ".png", _png_with(b"tEXt", b"no value")),
        _used("PNG with a wrong checksum after the pixels", ".png", partial(_png, after=late)),
        _used(
            "PNG with a wrong checksum of whole pixels", ".png", lambda a: _png(a, idat=_wrong_crc(_idat(a)))
        ),
        _used("PNG in chunks of 1 byte", ".png", lambda a: _png(a, idat=_crumbs(a))),
        _used("PNG with 400 MB too many pixels", ".png", lambda a: _png(a, idat=_idat_bomb(_lines(a), 400))),
        _lossy("JPEG with rubbish after its end", ".jpg", lambda a: _saved("JPEG", "RGB")(a) + b"rubbish"),
        _lossy("JPEG with damage nobody can see", ".jpg", _flipped_jpeg),
        _used("GIF without its end", ".gif", lambda a: _saved_palette("GIF")(a)[:-1], few_colours),
        _used("WebP with rubbish after its end", ".webp", lambda a: _webp(a) + b"rubbish"),
        _used("QOI without its end", ".qoi", lambda a: _qoi(a)[:-8]),
    ]


def _duplicates() -> list[Hostile]:
    """Copies sort after their originals, and lie beside them: no label tells them apart."""
    first, solid = "original of the copies", "opaque original of the copies"
    originals = [_used_as(first, "twin 0.png", _png), _used_as(solid, "solid 0.png", _png, opaque)]

    def copy(kind: str, number: int, make: Make) -> Hostile:
        return Hostile(kind, "duplicate", _after(originals[number], make), "same pixels", None)

    def twin(kind: str, name: str, encode: Encode) -> Hostile:
        return copy(kind, 0, _write(name, lambda: encode(holes(first))))

    def opaque_twin(kind: str, name: str, encode: Encode) -> Hostile:
        return copy(kind, 1, _write(name, lambda: encode(opaque(solid))))

    return [
        *originals,
        twin("copy under another name", "twin 1.png", _png),
        copy("hard link", 0, _hard_link("twin 2.png", "twin 0.png")),
        twin("same pixels, other colours under alpha 0", "twin 3.png", _junk_png),
        twin("same pixels, interlaced", "twin 4.png", _interlaced),
        twin("same pixels in 16 bits", "twin 5.png", _sixteen_bit_png),
        twin("same pixels in WebP", "twin 6.webp", _webp),
        opaque_twin("same pixels in BMP", "solid 1.bmp", _saved("BMP", "RGB")),
        opaque_twin("same pixels without alpha", "solid 2.png", _saved("PNG", "RGB")),
        Hostile(
            "link to a picture of the folder",
            "ignored",
            _after(originals[0], _link("link inside.png", "twin 0.png")),
            "link",
            None,
        ),
    ]


def _cut_short() -> list[Hostile]:
    """Files that end too soon."""

    def first(part: float | int, encode: Encode) -> Encode:
        """The first half, say, or all but the last so many bytes, or the first so many."""

        def encode_part(rgba: Rgba) -> bytes:
            whole = encode(rgba)
            return whole[: int(len(whole) * part) if isinstance(part, float) else part]

        return encode_part

    jpeg = _saved("JPEG", "RGB")
    return [
        _skipped("empty file", ".png", "empty (0 bytes)", bytes),
        _broken("half a PNG", ".png", first(0.5, _png)),
        _broken("half a PNG without a suffix", "", first(0.5, _png)),
        _broken("half a PNG, downloading", ".png.crdownload", first(0.5, _png)),
        _broken("PNG of 8 bytes", ".png", first(8, _png)),
        _broken("PNG cut in its header", ".png", first(20, _png)),
        _broken("PNG that ends after its header", ".png", first(33, _png)),
        _broken("half a JPEG", ".jpg", first(0.5, jpeg)),
        _broken("JPEG cut in its pixels", ".jpg", first(-60, jpeg)),
        _broken("JPEG without its last 10 bytes", ".jpg", first(-10, jpeg)),
        _broken("JPEG without its last 2 bytes", ".jpg", first(-2, jpeg)),
        _broken("half a GIF", ".gif", first(0.5, _saved_palette("GIF"))),
        _broken("half a WebP", ".webp", first(0.5, _webp)),
        _broken("half a BMP", ".bmp", first(0.5, _saved("BMP", "RGB"))),
        _broken("half a TIFF", ".tif", first(0.5, _rgb_tiff)),
        _broken("half a QOI", ".qoi", first(0.5, _qoi)),
        _broken("half an ICO", ".ico", first(0.5, _saved("ICO"))),
    ]


def _contradictions() -> list[Hostile]:
    """Files that contradict themselves."""
    early = _wrong_crc(_chunk(b"tEXt", b"author\0me"))
    return [
        _broken("PNG without pixels", ".png", lambda a: PNG_START + _header(16, 16) + _chunk(b"IEND")),
        _broken("PNG with damaged pixels", ".png", _damaged_png),
        _broken("PNG whose pixels fail their checksum", ".png", lambda a: _png(a, idat=_wrong_adler(a))),
        _broken(
            "PNG with a wrong checksum in its header",
            ".png",
            partial(_png, header=_wrong_crc(_header(16, 16))),
        ),
        _broken("PNG with a wrong checksum before the pixels", ".png", partial(_png, before=early)),
        _broken(
            "PNG with a chunk longer than the file", ".png", partial(_png, before=b"\x7f\xff\xff\xffprVt")
        ),
        _broken("PNG of 0 x 0", ".png", partial(_png, header=_header(0, 0))),
        _broken("PNG with half a line too little", ".png", lambda a: _png(a, idat=_short_idat(a))),
        _broken("PNG from an iOS app (CgBI)", ".png", _apple_png),
        _broken("JPEG of height 0", ".jpg", partial(_jpeg_size, height=0, width=16)),
        _broken("WebP with a wrong length", ".webp", _long_webp),
        _broken("TIFF whose pixels are elsewhere", ".tif", partial(_rgb_tiff, offset=10**6)),
        _broken("TIFF with a packing nobody knows", ".tif", partial(_rgb_tiff, tags={259: [999]})),
        Hostile("file that may not be read", "skipped", _closed_file("closed.png"), "permission", None),
    ]


def _bombs() -> list[Hostile]:
    """Small files that would fill the memory, or the day."""

    def bomb(kind: str, suffix: str, encode: Encode) -> Hostile:
        return _skipped(kind, suffix, "too large", lambda: encode(few_colours(kind)))

    def text(name: bytes) -> bytes:
        return _chunk(name, b"bomb\0\0" + _deflated(b"", 100))

    huge, large = _header(60_000, 60_000), _header(13_000, 13_000)
    huge_qoi = b"qoif" + struct.pack(">II", 60_000, 60_000)
    return [
        bomb("PNG that claims 60000 x 60000", ".png", partial(_png, header=huge)),
        bomb("PNG that claims 13000 x 13000", ".png", partial(_png, header=large)),
        bomb("PNG of 20000 x 20000 in 400 kB", ".png", _zeros_png),
        bomb("PNG with 100 MB of packed text", ".png", lambda a: _png(a, text(b"zTXt"))),
        bomb("PNG with 100 MB of text after the pixels", ".png", lambda a: _png(a, after=text(b"zTXt"))),
        bomb("PNG with a colour profile of 100 MB", ".png", lambda a: _png(a, text(b"iCCP"))),
        bomb("JPEG that claims 9400 x 9400", ".jpg", partial(_jpeg_size, height=9400, width=9400)),
        bomb("GIF that claims 65535 x 65535", ".gif", partial(_gif_screen, side=65_535)),
        bomb("BMP of height minus 2 thousand million", ".bmp", lambda a: _bmp(b"", 24, height=-(2**31))),
        bomb("TIFF of width 2 thousand million", ".tif", partial(_rgb_tiff, tags={256: [2**31]})),
        bomb("QOI that claims 60000 x 60000", ".qoi", lambda a: huge_qoi + _qoi(a)[12:]),
        bomb("PPM that claims 1000000 x 1000000", ".ppm", lambda a: b"P6 1000000 1000000 255\n"),
        bomb("ICO around a PNG that claims 60000 x 60000", ".ico", lambda a: _ico(_png(a, header=huge))),
        Hostile("PNG of 1 GB on paper", "skipped", _sparse("sparse.png", 2**30), "too large", None),
    ]


def _impostors() -> list[Hostile]:
    """Named like pictures, and something else."""

    def other(kind: str, suffix: str, data: bytes) -> Hostile:
        return _skipped(kind, suffix, "not a picture", lambda: data)

    return [
        other("text named .png", ".png", b"Not a picture at all.\n"),
        other("web page named .jpg", ".jpg", b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n"),
        other("random bytes named .png", ".png", _noise("random bytes", 3000).tobytes()),
        other("zeros named .png", ".png", bytes(3000)),
        other("SVG named .png", ".png", SVG),
        other("PDF named .png", ".png", PDF),
        other("EPS named .png, for Ghostscript to run", ".png", EPS),
        other("PostScript named .jpg", ".jpg", b"%!PS\n{} loop\n"),
        other("MP4 named .gif", ".gif", MP4),
        _skipped("5 MB of text named .gif", ".gif", "not a picture", lambda: b"Once upon a time " * 308_405),
        _skipped("ZIP named .png", ".png", "not a picture", _zip),
        _skipped("Photoshop file named .png", ".png", "not a picture", _psd),
        _skipped("Git LFS pointer named .png", ".png", "git lfs", lambda: LFS_POINTER),
    ]


def _not_pictures() -> list[Hostile]:
    """What lies beside pictures, and what other programs leave."""

    def other(kind: str, name: str, data: bytes, reason: str = "not a picture") -> Hostile:
        return _ignored(kind, name, reason, lambda: data)

    return [
        other("read-me", "README.txt", b"My pictures.\n"),
        other("JSON", "settings.json", b'{"size": 16}\n'),
        other("Python program", "resize.py", b"print('done')\n"),
        other("text that begins like a bitmap", "toys.txt", b"BMX bikes, and other toys to be drawn.\n"),
        other("text that begins like a PBM", "plan.txt", b"P1 is what must be done first.\n"),
        other("empty file without a suffix", "nothing", b""),
        other("random bytes without a suffix", "random", _noise("more random bytes", 3000).tobytes()),
        other("video", "movie.mp4", MP4),
        _ignored("ZIP of pictures", "pictures.zip", "not a picture", _zip),
        _ignored("backup of a picture", "sprite.png~", "backup", lambda: _png(holes("an older sprite"))),
        _ignored("Photoshop file", "layers.psd", "export", _psd),
        other("GIMP file", "layers.xcf", XCF, "export"),
        other("Aseprite file", "sprite.aseprite", ASEPRITE, "export"),
        other("SVG", "vector.svg", SVG, "export"),
        other("HEIC of a telephone", "IMG_0001.heic", HEIC, "export"),
        other("thumbnails of Windows", "Thumbs.db", OLE, "operating system"),
        other("settings of a Windows folder", "desktop.ini", b"[.ShellClassInfo]\r\n", "operating system"),
        Hostile("empty folder", "ignored", _empty_folder("empty folder"), "", None),
        Hostile("empty folder named like a picture", "ignored", _empty_folder("empty.jpg"), "", None),
    ]


def _hidden() -> list[Hostile]:
    def hidden(kind: str, name: str, data: Callable[[], bytes]) -> Hostile:
        return _ignored(kind, name, "hidden", data)

    mac_folder = _unentered("__MACOSX", "x.png")
    return [
        hidden("hidden picture", ".hidden.png", lambda: _png(holes("hidden"))),
        hidden("file named nothing but .png", ".png", lambda: _png(holes("only a suffix"))),
        hidden(
            "AppleDouble", "._sprite.png", lambda: b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(58)
        ),
        hidden("settings of a Mac folder", ".DS_Store", lambda: b"\0\0\0\1Bud1" + bytes(504)),
        hidden("swap file of vim", ".sprite.png.swp", lambda: b"b0VIM 9.0" + bytes(503)),
        Hostile("hidden folder", "ignored", _unentered(".git", "x.png"), "hidden", None),
        Hostile("folder of a Mac's ZIP", "ignored", mac_folder, "operating system", None),
        Hostile("folder that may not be entered", "ignored", _closed_folder("closed"), "permission", None),
    ]


def _links() -> list[Hostile]:
    def link(kind: str, make: Make) -> Hostile:
        return Hostile(kind, "ignored", make, "link", None)

    return [
        link("link to a picture outside", _link_outside("link outside.png", "secret.png")),
        link("link to a folder outside", _link_outside("folder outside", ".")),
        link("link to nothing", _link("dangling.png", "gone.png")),
        link("link to itself", _link("itself.png", "itself.png")),
        link("link to a link to nothing", _link("chain.png", "dangling.png")),
        link("link to the folder above it", _link("circle/up", "..")),
        link("link to a device", _link("link to a device.png", "/dev/null")),
    ]


def _irregular() -> list[Hostile]:
    def node(kind: str, name: str, mode: int, device: int = 0) -> Hostile:
        return Hostile(kind, "ignored", _node(name, mode, device), "not a regular file", None)

    return [
        node("pipe named .png", "pipe.png", stat.S_IFIFO),
        node("socket named .png", "socket.png", stat.S_IFSOCK),
        node("device named .png", "device.png", stat.S_IFCHR, os.makedev(1, 3)),
    ]


HOSTILE: list[Hostile] = [
    *_modes(),
    *_numbers(),
    *_formats(),
    *_turned(),
    *_frames(),
    *_names(),
    *_sizes(),
    *_odd_but_whole(),
    *_duplicates(),
    *_cut_short(),
    *_contradictions(),
    *_bombs(),
    *_impostors(),
    *_not_pictures(),
    *_hidden(),
    *_links(),
    *_irregular(),
]
