"""Pictures that somebody sends: files, a folder's, or one zip. All of it becomes a data set, or nothing.

What is sent is a stranger's: names lead nowhere outside, links are refused, and number, bytes, pixels and
time are limited before anything is kept.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.pictures.picture_files import MAX_PIXELS, has_picture_content
from fogcatcher.studio.workspace import Workspace, as_name, shown

MOST_FILES = 20_000
MOST_MB = 500
MOST_BYTES = MOST_MB * 1_000_000
TOO_MANY = Message(
    "more than {most:,} files at once are not taken: send fewer, or a smaller part.", most=MOST_FILES
)
LARGEST_DIRECTORY = 4_000_000
"""Bytes of the list of files in a zip."""
DAMAGED = "the zip is damaged or cut short: pack it again, without a password."
END_OF_ZIP = b"PK\x05\x06"
LARGEST_FILE = 100_000_000
MOST_SECONDS = 300.0
LONGEST_NAME = 200
DEEPEST = 8
LARGEST_PNG = 20_000_000
ONE_FILE = {
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            }
        }
    }
}
MOST_FIELDS = 20
PATIENCE = 1.0
KEPT = (
    ".png", ".gif", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".qoi", ".ppm", ".pgm", ".pbm", ".ico",
    ".json", ".jsonl", ".csv", ".txt", ".npy", ".npz",
)  # fmt: skip
"""Files by their endings: pictures, arrays, and what is known about them. Others are left out."""
NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f<>]")


UNSOUND = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error)
"""What reading a damaged zip may raise."""


class Refused(UserError):
    """What was sent cannot be taken."""


@dataclass
class Incoming:
    """An upload on its way into a hidden folder."""

    folder: Path
    name: str = ""
    files: int = 0
    left: int = MOST_BYTES
    until: float = field(default_factory=lambda: time.monotonic() + MOST_SECONDS)
    archive: Path | None = None
    first: str = ""
    """The path of the first file: a folder that was dropped gives its name."""

    def place(self, path: str) -> Path | None:
        """Return where a file of this path goes; None for one that is left out. Raises Refused."""
        parts = plain_parts(path)
        self.files += 1
        if self.files > MOST_FILES:
            raise Refused(TOO_MANY)
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if hidden or PurePosixPath(parts[-1]).suffix.lower() not in KEPT:
            return None
        target = self.folder.joinpath(*parts)
        if target.exists():
            raise Refused(
                Message("'{path}' is there twice: give every file a name of its own.", path=shown(path))
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def take(self, count: int) -> None:
        """Hear of so many bytes more. Raises Refused where it is too much, or takes too long."""
        self.left -= count
        if self.left < 0:
            raise Refused(
                Message("that is more than {most:,} MB unpacked: send a smaller part.", most=MOST_MB)
            )
        if time.monotonic() > self.until:
            raise Refused("the upload took too long: send a smaller part.")


def plain_parts(path: str) -> tuple[str, ...]:
    """Return the parts of a relative path. Raises Refused for one that leads out, or is no usual name."""
    if NOT_IN_NAMES.search(path) or not path.isprintable():
        raise Refused(
            Message(
                "the name '{path}' holds characters that not every system takes: rename it.",
                path=_visible(path),
            )
        )
    parts = tuple(path.replace("\\", "/").split("/"))
    leads_out = path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path) or ".." in parts
    if leads_out:
        raise Refused(
            Message(
                "'{path}' would lie outside the data set: pack the pictures again, without such paths.",
                path=shown(path),
            )
        )
    parts = tuple(part for part in parts if part not in ("", "."))
    if not parts or len(parts) > DEEPEST or any(len(part.encode()) > LONGEST_NAME for part in parts):
        raise Refused(f"the path '{shown(path)}' is empty, too long or too deep: rename it.")
    return parts


def _visible(text: str) -> str:
    return shown(re.sub(r"[^\x20-\x7e]", "?", text))


# --- what a browser sends -----------------------------------------------------------------------


async def receive(workspace: Workspace, request: Request) -> str:
    """Keep what was sent as a data set; return its name. Raises Refused, and leaves nothing then."""
    folder = workspace.hidden / "uploads" / secrets.token_hex(8)
    folder.mkdir(parents=True)
    incoming = Incoming(folder / "set")
    incoming.folder.mkdir()
    try:
        try:
            await _parts(request, incoming)
        except Refused:
            await drained(request.stream())
            raise
        return await run_in_threadpool(_kept, workspace, incoming)
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def one_file(workspace: Workspace, request: Request) -> AsyncIterator[Path]:
    """The one PNG that was sent, while it is looked at. Raises Refused for anything else."""
    folder = workspace.hidden / "uploads" / secrets.token_hex(8)
    folder.mkdir(parents=True)
    incoming = Incoming(folder / "set", left=LARGEST_PNG)
    incoming.folder.mkdir()
    try:
        await _parts(request, incoming)
        found = [path for path in incoming.folder.rglob("*") if path.is_file()]
        if incoming.archive or len(found) != 1 or found[0].suffix.lower() != ".png":
            raise Refused("send one PNG.")
        yield found[0]
    except Refused:
        await drained(request.stream())
        raise
    finally:
        await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


async def drained(chunks: AsyncIterator[bytes]) -> None:
    """Pass over the rest of a body for a moment: who is still sending does not hear an answer."""
    until = time.monotonic() + PATIENCE
    with contextlib.suppress(ClientDisconnect, RuntimeError):
        async for _ in chunks:
            if time.monotonic() > until:
                return


async def _parts(request: Request, incoming: Incoming) -> None:
    """Write every part of the body where it belongs."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Refused("send files as a form does (multipart/form-data).")
    body = incoming.folder.parent / "body"
    await _spool(request, body, b"--" + boundary)
    await run_in_threadpool(_parse, body, boundary, incoming)
    body.unlink()


async def _spool(request: Request, file: Path, edge: bytes) -> None:
    """Write the body into a file, and count its parts: too many are refused before they are taken apart."""
    parts, tail = 0, b""
    with open(file, "wb") as spool:
        async for chunk in request.stream():
            seen = tail + chunk
            parts += seen.count(edge)
            tail = seen[len(seen) - len(edge) + 1 :]
            if parts > MOST_FILES + MOST_FIELDS:
                raise Refused(TOO_MANY)
            spool.write(chunk)


def _parse(body: Path, boundary: bytes, incoming: Incoming) -> None:
    parts = Parts(incoming)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        with open(body, "rb") as file:
            while chunk := file.read(1 << 20):
                parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise Refused("what was sent ends too early, or is no form: try again.") from error
    finally:
        parts.close()
    if not parts.ended:
        raise Refused("what was sent ends too early: try again.")


class Parts:
    """The parts of a form, one after another."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._headers = dict[bytes, bytes]()
        self._header, self._value, self._text = b"", b"", b""
        self._field, self._file = "", None
        self._is_file, self._fields = False, 0
        self._file: IO[bytes] | None
        self._size = 0
        self.ended = False

    def callbacks(self) -> Any:  # noqa: ANN401 - as the parser types them
        names = (
            "part_begin", "part_data", "part_end", "header_field", "header_value", "header_end",
            "headers_finished", "end",
        )  # fmt: skip
        return {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _part_begin(self) -> None:
        self._headers, self._text, self._is_file, self._size = {}, b"", False, 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        name = options.get(b"filename")
        if name is None:
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise Refused("the form has too many fields.")
            return
        self._is_file = True
        self._begin_file(_path_of(name))

    def _begin_file(self, path: str) -> None:
        incoming = self._incoming
        if path.lower().endswith(".zip"):
            plain_parts(path)
            if incoming.files or incoming.archive:
                raise Refused("send one zip, or files, not both.")
            incoming.archive, incoming.first = incoming.folder.parent / "sent.zip", path
            self._file = open(incoming.archive, "xb")  # noqa: SIM115
            return
        if incoming.archive:
            raise Refused("send one zip, or files, not both.")
        incoming.first = incoming.first or path
        target = incoming.place(path)
        self._file = None if target is None else open(target, "xb")  # noqa: SIM115

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            self._text += data[start:end]
            if len(self._text) > 1000:
                raise Refused("a field of the form is too long.")
            return
        self._incoming.take(end - start)
        self._size += end - start
        if self._size > LARGEST_FILE and self._incoming.archive is None:
            raise Refused(f"a file is larger than {LARGEST_FILE / 1e6:.0f} MB: leave it out.")
        if self._file:
            self._file.write(data[start:end])

    def _part_end(self) -> None:
        self.close()
        if not self._is_file and self._field == "name":
            self._incoming.name = self._text.decode("utf-8", "replace")

    def _end(self) -> None:
        self.ended = True


def _path_of(name: bytes) -> str:
    """The path of a file, as browsers write it. Raises Refused for what is no text."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("a file's name is not written in UTF-8: rename it.") from None


# --- what was sent ------------------------------------------------------------------------------


def _kept(workspace: Workspace, incoming: Incoming) -> str:
    """Unpack, look, and put the set in its place."""
    if incoming.archive:
        incoming.left, incoming.files = MOST_BYTES, 0
        unpack(incoming.archive, incoming)
    elif not incoming.files:
        raise Refused("no files were sent: choose pictures, a folder of them, or a zip.")
    root = _without_wrapping(incoming.folder)
    check_pictures(root)
    wanted = incoming.name or _name_of(incoming)
    for _ in range(1000):
        name = workspace.free("data", as_name(wanted, "pictures"))
        try:
            root.rename(workspace.area("data") / name)
            return name
        except OSError:
            if not (workspace.area("data") / name).exists():
                raise
    raise Refused("there is no free name for the data set.")


def _name_of(incoming: Incoming) -> str:
    """The name of the zip, or of the folder that was dropped; "" where there was neither."""
    parts = PurePosixPath(incoming.first.replace("\\", "/")).parts
    return parts[0].removesuffix(".zip") if incoming.archive or len(parts) > 1 else ""


def unpack(archive: Path, incoming: Incoming) -> None:
    """Unpack a zip into ``incoming.folder``. Raises Refused for one that is not sound, or leads out."""
    _check_list(archive)
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            for entry in entries:
                _check_entry(entry)
            size = sum(entry.file_size for entry in entries)
            if size > MOST_BYTES:
                raise Refused(
                    Message(
                        "the zip unpacks to {size:,} MB; at most {most:,} MB are taken.",
                        size=round(size / 1e6),
                        most=MOST_MB,
                    )
                )
            for entry in entries:
                if not entry.is_dir():
                    _unpack_one(packed, entry, incoming)
    except UNSOUND as error:
        raise Refused(DAMAGED) from error


def _check_list(archive: Path) -> None:
    """Refuse a zip with too many files before its list is read, which takes long.

    PKWARE's APPNOTE, 4.3.16: the end of a zip says how many entries there are, and how long their list is.
    """
    with open(archive, "rb") as file:
        file.seek(max(0, archive.stat().st_size - 2**16 - 22))
        tail = file.read()
    at = tail.rfind(END_OF_ZIP)
    if at < 0 or len(tail) < at + 22:
        raise Refused(DAMAGED)
    count, length = struct.unpack("<HL", tail[at + 10 : at + 16])
    if count > MOST_FILES or length > LARGEST_DIRECTORY:
        raise Refused(TOO_MANY)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    plain_parts(entry.filename.rstrip("/") or entry.filename)
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(
            Message(
                "'{path}' in the zip is a link or a device: pack the pictures themselves.",
                path=shown(entry.filename),
            )
        )
    if entry.flag_bits & 1:
        raise Refused("the zip has a password: pack it again without one.")


def _unpack_one(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, incoming: Incoming) -> None:
    target = incoming.place(entry.filename)
    if target is None:
        return
    if entry.file_size > LARGEST_FILE:
        raise Refused(f"'{shown(entry.filename)}' is larger than {LARGEST_FILE / 1e6:.0f} MB: leave it out.")
    with packed.open(entry) as source, open(target, "xb") as file:
        while chunk := source.read(1 << 20):
            incoming.take(len(chunk))
            file.write(chunk)


def _without_wrapping(folder: Path) -> Path:
    """The folder below one that holds nothing but it: a packed or dropped folder is its content."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or _holds_files(inside[0]) is False:
            return folder
        folder = inside[0]


def _holds_files(folder: Path) -> bool:
    """Whether anything but sub-folders lies in it; a set of classes has sub-folders, and stays."""
    return any(path.is_file() for path in folder.iterdir()) or sum(1 for _ in folder.iterdir()) > 1


def check_pictures(folder: Path) -> None:
    """Raises Refused where not one file can be a picture, or one is far too large."""
    found = False
    for path in _all_files(folder):
        if path.suffix.lower() in (".npy", ".npz"):
            found = True
        elif path.suffix.lower() not in (".json", ".jsonl", ".csv", ".txt"):
            found = found or _is_picture(path)
    if not found:
        raise Refused(
            "there are no pictures among these files: send PNG, GIF, JPEG, WebP, BMP or TIFF files."
        )


def _all_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _is_picture(path: Path) -> bool:
    from PIL import Image

    with open(path, "rb") as file:
        if not has_picture_content(file.read(16)):
            return False
    try:
        with Image.open(path) as image:
            pixels = image.width * image.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        pixels = MAX_PIXELS + 1
    except Exception:  # damaged: the report will say so
        return False
    if pixels > MAX_PIXELS:
        raise Refused(
            Message("'{path}' has far more pixels than a sprite: leave it out.", path=shown(path.name))
        )
    return True
