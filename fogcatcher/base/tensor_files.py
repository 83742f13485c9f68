"""Every file of tensors that is read comes through here, as if a stranger had written it.

It must be a plain file, no larger than what it is for, and whole safetensors.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from fogcatcher.base.printable import in_one_line

SPARE_BYTES = 2**24
"""What a file may hold beside its tensors: their names, and what else it says of itself."""
SPARE = 4
"""So many times the room that its tensors take here a file may have: they may be in double precision."""
LFS = b"version https://git-lfs"


def read_tensors(path: Path, most: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file, and what it says of itself.

    ``most`` is how many bytes it may have. Raises FileNotFoundError where there is none, and else ValueError
    that says in one line what is wrong.
    """
    check_plain(path, most)
    try:
        with _named_in_utf8(path) as place, safe_open(place, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, RuntimeError, AttributeError, TypeError, OverflowError) as error:
        # An own kind of the library, and whatever torch says of types and sizes that it has not.
        raise ValueError(f"it is damaged ({in_one_line(error)})") from error


def said_by(path: Path) -> dict[str, str]:
    """Return what a file of tensors says of itself, without reading them. Raises as ``read_tensors``."""
    check_plain(path, 2**63)
    try:
        with _named_in_utf8(path) as place, safe_open(place, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ValueError(f"it is damaged ({in_one_line(error)})") from error


@contextlib.contextmanager
def _named_in_utf8(path: Path) -> Iterator[Path]:
    """The path itself, or as safetensors opens no name that is not UTF-8, a link to it."""
    if os.fsencode(path).decode("utf-8", "replace") == str(path):
        yield path
        return
    with TemporaryDirectory() as folder:
        link = Path(folder) / "tensors"
        link.symlink_to(path.absolute())
        yield link


def check_plain(path: Path, most: int) -> None:
    """Raises FileNotFoundError where there is no file, and ValueError for a pipe, a device, a file of more
    than ``most`` bytes, and the pointer that git leaves where a large file was not fetched.
    """
    status = os.stat(path)  # links are followed, for folders of the Hub are made of them
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a plain file")
    if status.st_size > most:
        raise ValueError(f"it is larger than what it is for ({status.st_size / 1e6:,.0f} MB)")
    with open(path, "rb") as file:
        if file.read(len(LFS)) == LFS:
            raise ValueError("it is a pointer of Git LFS and not the file itself: fetch it with git lfs pull")


def file_hash(path: Path) -> str:
    """Return the hash of ``short_hash`` of a plain file. Raises as ``check_plain``."""
    check_plain(path, 2**63)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def most_bytes(parts: Iterable[Tensor] | nn.Module) -> int:
    """Return how many bytes a file of these tensors, or of all that a module keeps, may have."""
    tensors = parts.state_dict().values() if isinstance(parts, nn.Module) else parts
    return SPARE_BYTES + SPARE * sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def digest_of(tensors: Mapping[str, Tensor], told: Mapping[str, str]) -> str:
    """Return the SHA-256 of tensors with their names, types and shapes, and of what is said of them."""
    digest = hashlib.sha256(repr(sorted(told.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name!r} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
