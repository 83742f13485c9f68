"""Decoded pictures on disk: read by number, so memory stays small however many there are; and the cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import read_json
from fogcatcher.base.typed_json import Range, typed, typed_fields

IN_MEMORY = 2**30
"""Sets of up to so many bytes are held in memory, larger ones are read from their file."""
SPOOLED = 2**27
"""Bytes of undecided pictures held in memory before they go to a temporary file."""
KEPT = 8
"""How many data sets the cache keeps; the ones used longest ago go first."""
MOST_FACTS = 10**9
"""Bytes of what is known about the pictures of one set."""
T = TypeVar("T")
Side = Annotated[int, Range(0, 10**12)]
_FORMAT = 5
_CHUNK = 2048


def has_alpha(channels: int) -> bool:
    """Return whether pictures of so many channels are grey or RGB with alpha."""
    return channels in (2, 4)


class PictureStore:
    """Pictures in one file of bytes, (N, C, H, W); indexing reads just those asked for."""

    device = torch.device("cpu")

    def __init__(self, path: Path, shape: tuple[int, int, int, int]) -> None:
        self.shape = torch.Size(shape)
        self._picture_bytes = int(np.prod(shape[1:]))
        # An open file stays readable when another process cleans the cache.
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, numbers: slice | Tensor) -> Tensor:
        """Return (K, C, H, W) uint8 of the pictures of these numbers, in this order."""
        if isinstance(numbers, slice):
            start, stop, step = numbers.indices(len(self))
            if step == 1:
                return self._read(start, max(0, stop - start))
            numbers = torch.arange(start, stop, step)
        return torch.cat([self._read(0, 0), *(self._read(number, 1) for number in numbers.tolist())])

    def _read(self, start: int, count: int) -> Tensor:
        if count == 0:
            return torch.empty(0, *self.shape[1:], dtype=torch.uint8)
        content = bytearray(
            os.pread(self._descriptor, count * self._picture_bytes, start * self._picture_bytes)
        )
        return torch.frombuffer(content, dtype=torch.uint8).reshape(-1, *self.shape[1:])


Pictures = UInt8[Tensor, "B C H W"]
PictureTensor = Tensor | PictureStore
"""(N, C, H, W) uint8, in memory or on disk: both have shape, length and indexing by tensor or slice."""


class PictureWriter:
    """Takes RGBA pictures one by one; gives back all of them with as many channels as they need."""

    def __init__(self, height: int, width: int, folder: Path | None) -> None:
        """``folder`` None keeps small sets in memory, and spills larger ones to a temporary file."""
        self._shape, self._folder, self.count = (height, width), folder, 0
        self._grey = self._opaque = True
        # Which channels are needed is known only at the end, so all four are kept until then.
        self._raw = _scratch(folder)

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._raw.close()

    def add(self, rgba: NDArray[np.uint8]) -> None:
        """Append one picture, (H, W, 4)."""
        self._opaque = self._opaque and rgba[..., 3].min() == 255
        if self._grey:
            self._grey = bool((rgba[..., :2] == rgba[..., 1:3]).all())
        self._raw.write(np.ascontiguousarray(rgba).data)
        self.count += 1

    @property
    def _channels(self) -> list[int]:
        """Grey, grey and alpha, RGB or RGBA."""
        return ([0] if self._grey else [0, 1, 2]) + ([] if self._opaque else [3])

    def finish(self) -> tuple[PictureTensor, str]:
        """Return the pictures, (N, C, H, W), and the hash of their bytes."""
        height, width = self._shape
        shape = (self.count, len(self._channels), height, width)
        digest = hashlib.sha256(repr(shape).encode())
        self._raw.seek(0)
        path = self._folder / "pictures.bin" if self._folder else None
        chunks: list[Tensor] = []
        with open(path or os.devnull, "wb") as file, self._raw:
            while content := self._raw.read(_CHUNK * height * width * 4):
                rgba = np.frombuffer(content, np.uint8).reshape(-1, height, width, 4)
                part = np.ascontiguousarray(rgba[..., self._channels].transpose(0, 3, 1, 2))
                digest.update(part.data)
                if path:
                    file.write(part.data)
                else:
                    chunks.append(torch.from_numpy(part))
        return (open_pictures(path, shape) if path else torch.cat(chunks)), digest.hexdigest()[:16]


def _scratch(folder: Path | None) -> IO[bytes]:
    """A nameless file: on the disk of ``folder``, or in memory as long as it is small."""
    return tempfile.TemporaryFile(dir=folder) if folder else tempfile.SpooledTemporaryFile(SPOOLED)


def filled(parts: Iterable[UInt8[Tensor, "_ C H W"]], folder: Path | None) -> PictureTensor:
    """Return rows that come part by part: in memory, or in a file of ``folder``, one of the cache."""
    if folder is None:
        return torch.cat([*parts])
    path, count, shape = folder / "pictures.bin", 0, (0, 0, 0)
    with open(path, "wb") as file:
        for part in parts:
            file.write(part.numpy().data)
            count, shape = count + len(part), (part.shape[1], part.shape[2], part.shape[3])
    return open_pictures(path, (count, *shape))


def open_pictures(path: Path, shape: tuple[int, int, int, int]) -> PictureTensor:
    """Return the pictures of a file: in memory if they are few, else read when asked for."""
    store = PictureStore(path, shape)
    return store[:] if path.stat().st_size <= IN_MEMORY else store


# --- the cache ----------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return where decoded data sets are kept: $FOGCATCHER_CACHE, or the user's usual cache folder.

    It need not be there, nor be a folder that can be written.
    """
    named = os.environ.get("FOGCATCHER_CACHE")
    try:
        usual = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        usual = os.devnull
    return Path(named) if named else Path(usual) / "fogcatcher"


def cached(key: str, kind: type[T]) -> tuple[PictureTensor, T] | None:
    """Return the pictures and facts stored under a key, or None; the facts are a dataclass of this kind."""
    folder = cache_folder() / key
    try:
        facts = read_json(folder / "dataset.json", dict[str, Any], MOST_FACTS, finite=False)
        shape = typed(facts.pop("shape", None), tuple[Side, Side, Side, Side], "shape")
        whole = (folder / "pictures.bin").stat().st_size == math.prod(shape)
        if facts.pop("format", None) != _FORMAT or not whole:
            return None
        with contextlib.suppress(OSError):  # somebody else's, or on a disk that may only be read
            os.utime(folder)
        return open_pictures(folder / "pictures.bin", shape), typed_fields(kind, facts)
    except (OSError, ValueError, UserError):
        return None


def store(
    key: str, fill: Callable[[Path | None], tuple[PictureTensor, T]]
) -> tuple[PictureTensor, T, OSError | None]:
    """Let ``fill`` write the pictures into a new folder of the cache; put it in place when it is whole.

    The facts are a dataclass of what JSON has, for ``cached``. Where the cache cannot be written ``fill`` has
    no folder, and nothing is kept; the error says why.
    """
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=root))
    except OSError as error:
        return *fill(None), error
    try:
        pictures, facts = fill(part)
        tree = {"format": _FORMAT, "shape": list(pictures.shape), **vars(facts)}
        (part / "dataset.json").write_text(json.dumps(tree), encoding="utf-8")
        shutil.rmtree(root / key, ignore_errors=True)
        os.replace(part, root / key)
        _clean(root)
    except OSError as error:  # what is not the cache's fault comes again
        shutil.rmtree(part, ignore_errors=True)
        return *fill(None), error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return pictures, facts, None


def _clean(root: Path) -> None:
    whole = [folder for folder in root.iterdir() if (folder / "dataset.json").exists()]
    for folder in sorted(whole, key=lambda folder: folder.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(folder, ignore_errors=True)
