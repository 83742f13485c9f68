"""What was deleted lies in bin/ until somebody throws it away: each in a folder that says where it was."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

from fogcatcher.base.disk import write_text
from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.read_json import read_json
from fogcatcher.studio.workspace import AREAS, NotThere, Workspace

WHERE, WHAT = "where.json", "what"


def put(workspace: Workspace, path: str) -> str:
    """Move something of the workspace into the bin; return the number by which it can be had back."""
    number = secrets.token_hex(8)
    folder = workspace.root / "bin" / number
    folder.mkdir(parents=True)
    text = json.dumps({"path": path})
    write_text(folder / WHERE, text)
    (workspace.root / path).replace(folder / WHAT)
    return number


def restore(workspace: Workspace, number: str) -> str:
    """Put something back where it was; return its path. Raises UserError where that cannot be."""
    folder = workspace.root / "bin" / number
    if not re.fullmatch("[0-9a-f]{16}", number) or not (folder / WHAT).exists():
        raise NotThere("that is no longer in the bin.")
    path = read_json(folder / WHERE, dict[str, str]).get("path", "")
    parts = Path(path).parts
    if not parts or parts[0] not in AREAS or ".." in parts or (workspace.root / path).is_absolute() is False:
        raise UserError("the bin does not say where that was.")
    target = workspace.root / path
    if target.exists():
        raise UserError(Message("{path} is there again: rename or delete that first.", path=path))
    target.parent.mkdir(parents=True, exist_ok=True)
    (folder / WHAT).replace(target)
    (folder / WHERE).unlink()
    folder.rmdir()
    return path
