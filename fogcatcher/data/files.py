"""Which files are there, and how to read them safely: a folder, or the inside of tar and zip archives."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import printable
from fogcatcher.data.pictures.picture_files import MAX_BYTES, Unreadable, reason_of

_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_HIDDEN = "is hidden"
_MAX_DEPTH = 64
RANGE = re.compile(r"\{(\d{1,6})\.\.(\d{1,6})\}")
"""A range in a pattern of names: {000..012}."""


class Files(ABC):
    """Files by name; a name is a path below the root, with slashes, always printable."""

    def __init__(self, root: Path, encoding: str | None = None) -> None:
        """``encoding`` is how names and texts are written that do not say so themselves."""
        self.root, self.encoding = root, encoding
        self.undecoded: set[str] = set()
        """Names that are not UTF-8, with the bytes that are none written out."""
        self.ignored: dict[str, str] = {}
        """What is left alone without being opened -> why."""
        self._marks: dict[str, str] = {}

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """All files that may be read, sorted."""

    @abstractmethod
    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return the content, or its first ``limit`` bytes. Raises Unreadable when it cannot be read."""

    def _name(self, raw: bytes, taken: Mapping[str, object]) -> str:
        """Return a name as people read it: decoded, its letters composed, unless that name is taken."""
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode(self.encoding or "utf-8", "surrogateescape")
        plain = printable(text)
        composed = unicodedata.normalize("NFC", plain)
        name = plain if composed in taken else composed
        if any("\udc80" <= letter <= "\udcff" for letter in text):
            self.undecoded.add(name)
        return name

    def fingerprint(self) -> str:
        """Return a hash that changes when any file is added, removed, or changed in size or date."""
        digest = hashlib.sha256(str(self.root.resolve()).encode("utf-8", "surrogateescape"))
        for name in self.names:
            digest.update(f"{name}\0{self._marks[name]}\0".encode())
        return digest.hexdigest()


class FolderFiles(Files):
    """The regular, visible files below a folder. Links are not followed, so nothing outside is read."""

    def __init__(self, root: Path, encoding: str | None = None) -> None:
        super().__init__(root, encoding)
        self._paths: dict[str, str] = {}
        self._walk(str(root), b"", 0)
        self._names = sorted(self._paths)

    @property
    def names(self) -> list[str]:
        return self._names

    def _walk(self, folder: str, prefix: bytes, depth: int) -> None:
        try:
            entries = sorted(os.scandir(folder), key=_composed_first)
        except OSError as error:
            self.ignored[self._name(prefix, {}) or "."] = f"is a folder that {reason_of(error)}"
            return
        for entry in entries:
            below = prefix + os.fsencode(entry.name)
            name = self._name(below, self._paths)
            reason = _why_ignored(entry)
            if reason is not None:
                self.ignored[name] = reason
            elif not entry.is_dir(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                self._paths[name] = entry.path
                self._marks[name] = f"{status.st_size} {status.st_mtime_ns}"
            elif depth < _MAX_DEPTH:
                self._walk(entry.path, below + b"/", depth + 1)
            else:
                self.ignored[name] = f"is more than {_MAX_DEPTH} folders deep"

    def read(self, name: str, limit: int | None = None) -> bytes:
        # The file may have become a pipe or a link since it was listed: neither may hang or lead away.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
        flags |= getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self._paths[name], flags), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise Unreadable("is not a regular file")
                if limit is None:
                    _check_bytes(status.st_size)
                return file.read(-1 if limit is None else limit)
        except OSError as error:
            raise Unreadable(reason_of(error)) from error


def _composed_first(entry: os.DirEntry[str]) -> tuple[bool, str]:
    return unicodedata.normalize("NFC", entry.name) != entry.name, entry.name


def _why_ignored(entry: os.DirEntry[str]) -> str | None:
    if entry.name.startswith("."):
        return _HIDDEN
    if entry.name.endswith("~"):
        return "is an editor's backup"
    if entry.name.lower() in _JUNK:
        return "belongs to the operating system"
    if entry.is_symlink():
        return "is a link; links are not followed"
    if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
        return "is not a regular file"
    return None


class ArchiveFiles(Files):
    """The files inside tar shards (uncompressed) and zip archives, read in place, one at a time."""

    def __init__(self, root: Path, archives: Iterable[Path], encoding: str | None = None) -> None:
        super().__init__(root, encoding)
        self._places: dict[str, tuple[Path, int, int] | tuple[zipfile.ZipFile, zipfile.ZipInfo, int]] = {}
        self._open: tuple[Path, int] | None = None
        self._keys: dict[str, Path] = {}
        for archive in archives:
            try:
                (self._list_zip if zipfile.is_zipfile(archive) else self._list_tar)(archive)
            except (OSError, tarfile.TarError, zipfile.BadZipFile, ValueError) as error:
                raise UserError(
                    f"{archive} cannot be read as a zip or an uncompressed tar archive ({error})."
                ) from error
        self._names = sorted(self._places)

    @property
    def names(self) -> list[str]:
        return self._names

    def _free_name(self, inside: bytes, archive: Path) -> str:
        """A printable name; where two shards use the same key, the shard's own name tells them apart.

        Files of one key belong together, and a key goes up to the first point, as webdataset has it: so a
        label stays beside its picture, also where the other shard has no label for that key.
        """
        # Nothing is unpacked, so a name cannot lead anywhere; but it should not look as if it did.
        inside = b"/".join(part for part in inside.split(b"/") if part not in (b"", b".", b".."))
        name = self._name(inside, {})
        folder, slash, last = name.rpartition("/")
        key = last.partition(".")[0]
        taken = bool(key) and self._keys.setdefault(f"{folder}{slash}{key}", archive) != archive
        if not taken and name not in self._places:
            return name
        other = f"{folder}{slash}{archive.stem}~{last}"
        self.undecoded |= {other} if name in self.undecoded else set()
        return other

    def _admit(self, name: str) -> bool:
        """Whether a file is to be listed: hidden files and junk stay out here too."""
        parts = PurePosixPath(name).parts
        if any(part.startswith(".") for part in parts):
            self.ignored[name] = _HIDDEN
        elif any(part.lower() in _JUNK for part in parts):
            self.ignored[name] = "belongs to the operating system"
        else:
            return True
        return False

    def _list_tar(self, archive: Path) -> None:
        with tarfile.open(archive, "r:") as tar:
            while (member := tar.next()) is not None:
                # tarfile remembers every member; a shard of a million would fill the memory.
                tar.members.clear()  # type: ignore[attr-defined]
                name = self._free_name(member.name.encode("utf-8", "surrogateescape"), archive)
                if member.isdir() or not self._admit(name):
                    continue
                if not member.isreg():
                    self.ignored[name] = "is not a regular file"
                    continue
                self._places[name] = (archive, member.offset_data, member.size)
                self._marks[name] = f"{member.size} {member.mtime} {member.offset}"

    def _list_zip(self, archive: Path) -> None:
        opened = zipfile.ZipFile(archive)
        for info in opened.infolist():
            name = self._free_name(_bytes_of(info), archive)
            if not info.is_dir() and self._admit(name):
                self._places[name] = (opened, info, info.file_size)
                self._marks[name] = f"{info.file_size} {info.CRC}"

    def read(self, name: str, limit: int | None = None) -> bytes:
        where, place, size = self._places[name]
        if limit is None:
            _check_bytes(size)
        try:
            if isinstance(where, zipfile.ZipFile):
                assert isinstance(place, zipfile.ZipInfo)  # by itself: two members may have one name
                with where.open(place) as member:
                    # A member may be longer than its header says: read no more than was promised.
                    return member.read(size if limit is None else limit)
            assert isinstance(place, int)
            return os.pread(self._descriptor(where), size if limit is None else min(limit, size), place)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise Unreadable(f"cannot be taken out of the archive ({error})") from error

    def _descriptor(self, archive: Path) -> int:
        """One open shard at a time: pictures are read in the order of the names, shard after shard."""
        if self._open is None or self._open[0] != archive:
            if self._open is not None:
                os.close(self._open[1])
            self._open = (archive, os.open(archive, os.O_RDONLY))
        return self._open[1]


def _bytes_of(info: zipfile.ZipInfo) -> bytes:
    """The name as it stands in the archive. Without the mark of UTF-8 many programs write their own letters,
    whatever the format says (cp437, as which zipfile reads them)."""
    told = info.flag_bits & 0x800 or info.filename != info.orig_filename  # or in a field of its own
    return info.filename.encode("utf-8", "surrogateescape") if told else info.filename.encode("cp437")


def _check_bytes(size: int) -> None:
    if size > MAX_BYTES:
        raise Unreadable(f"is too large ({size / 1e6:,.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read)")


def shards_of(path: str | Path) -> list[Path]:
    """Return the archives of a pattern such as train-{000..012}.tar; none where it is not a pattern.

    Raises UserError when one of them is missing.
    """
    match = RANGE.search(str(path))
    if not match or Path(path).exists():
        return []
    (before, after), width = str(path).split(match[0], 1), len(match[1])
    names = [f"{before}{k:0{width}}{after}" for k in range(int(match[1]), int(match[2]) + 1)]
    shards = [shard for name in names for shard in shards_of(name) or [Path(name)]]
    missing = [shard for shard in shards if not shard.is_file()]
    if missing or not shards:
        first = missing[0] if missing else path
        raise UserError(f"{path}: there is no file {first}; write the first and the last that there are.")
    return shards


def open_files(path: Path, encoding: str | None = None) -> Files:
    """Return the files of a folder, of an archive, or of a folder that holds nothing but tar shards.

    ``encoding`` is how names and texts are written that are not UTF-8.
    """
    if path.is_file():
        return ArchiveFiles(path, [path], encoding)
    if pattern := shards_of(path):
        return ArchiveFiles(path, pattern, encoding)
    shards = sorted(p for p in path.glob("*.tar") if p.is_file() and not p.is_symlink())
    folder = FolderFiles(path, encoding)
    if shards and all(name.endswith((".tar", ".json", ".txt", ".md")) for name in folder.names):
        return ArchiveFiles(path, shards, encoding)
    return folder
