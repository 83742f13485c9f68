"""Loading a torch.export program (.pt2) without running what strangers may have put into it.

``torch.export.load`` unpickles example inputs, and whatever weights and constants say that they are pickled;
loads compiled libraries; imports modules that tree specs name; and evaluates formulas of sizes as Python. So
only what is data is copied into a new archive, formulas and operations are compared with what arithmetic on
tensors needs, and the copy is loaded.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.read_json import parsed
from fogcatcher.base.tensor_files import check_plain

KEPT = re.compile(
    r"archive_version|archive_format|byteorder|\.data/(version|serialization_id)|models/model\.json"
    r"|data/(weights|constants)/(model_(weights|constants)_config\.json|(weight|tensor)_\d+)"
)
MOST_BYTES = 4_000_000_000
MOST_MODEL = 100_000_000
"""Of its graph as JSON."""
EXAMPLES = "data/sample_inputs/model.pt"
OPERATIONS = re.compile(
    r"torch\.ops\.aten\.(?!from_file)\w+\.\w+|_operator\.(add|sub|mul|floordiv|mod|getitem)"
)
WORDS = re.compile(r"Symbol|Integer|Add|Mul|Pow|Max|Min|Mod|FloorDiv|positive|integer|True|[su]\d+|\d+")
SIGNS = re.compile(r"[\w\s+*/(),'=-]*")
NOT_SO = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, EOFError)
"""What comes of an archive, or of JSON, that is not as torch writes it."""
IMPORTS = ("__enum__", "default_factory_module")


def load_program(path: Path) -> ExportedProgram:
    """Return the program of a .pt2 file. Raises UserError when it is none, or holds more than tensors and
    arithmetic on them."""
    try:
        check_plain(path, MOST_BYTES)
        copy = _copied(path)
    except (OSError, zipfile.BadZipFile, zlib.error, *NOT_SO) as error:
        said = in_one_line(error)
        raise UserError(
            f"{path} is no program to run here ({said}): export the network with torch.export.save."
        ) from error
    try:
        return torch.export.load(copy)
    except Exception as error:  # whatever torch stumbles over, it is the file
        said = in_one_line(error)
        raise UserError(f"{path} cannot be loaded by torch {torch.__version__} ({said}).") from error


def _copied(path: Path) -> io.BytesIO:
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        if sum(info.file_size for info in old.infolist()) > MOST_BYTES:
            raise ValueError("what is packed in it is too large")
        for info in old.infolist():
            name = info.filename
            root, _, inner = name.partition("/")
            if inner.endswith(".json") and info.file_size > MOST_MODEL:
                raise ValueError(f"{name} is too large")
            content = b"" if inner == EXAMPLES else old.read(info)
            if inner != EXAMPLES and not KEPT.fullmatch(inner):
                raise ValueError(f"{name} does not belong in one")
            if inner.endswith(".json"):
                content = _checked(content)
            new.writestr(f"{root}/{inner}", content)
    copy.seek(0)
    return copy


def _checked(content: bytes) -> bytes:
    """Return JSON without what it tells of the source; ValueError where it asks for more than arithmetic."""
    tree = parsed(content, finite=False)
    for key, value in _pairs(tree):
        if key == "metadata":
            value.clear()
        elif key == "target" and not OPERATIONS.fullmatch(value):
            raise ValueError(f"it calls {value}")
        elif key == "expr_str" and not _is_arithmetic(value):
            raise ValueError(f"a size is {value}")
        elif key == "use_pickle" and value is not False:
            raise ValueError("it is pickled")
        elif key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", str(value)):
            raise ValueError(f"{value} is not a tensor")
        elif isinstance(value, str) and any(word in value for word in IMPORTS):
            raise ValueError("it imports modules")
    return json.dumps(tree).encode()


def _pairs(tree: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield every key with its value, at any depth."""
    if isinstance(tree, dict):
        yield from tree.items()
    if isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _pairs(part)


def _is_arithmetic(formula: str) -> bool:
    words = re.findall(r"\w+", formula)
    return bool(SIGNS.fullmatch(formula)) and all(WORDS.fullmatch(word) for word in words)
