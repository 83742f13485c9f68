"""A picture that a request is about: one of the workspace, or a PNG sent along in base64."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.picture_files import Unreadable, decode
from fogcatcher.studio import asked
from fogcatcher.studio.workspace import NotThere, Workspace

LARGEST_SIDE = 4096
START = re.compile(r"data:image/png;base64,")


def given_file(workspace: Workspace, given: asked.GivenPicture, file: Path) -> Path:
    """Return the file of a picture, ``file`` for one that was sent. Raises UserError for what is none."""
    if (given.id is None) == (given.png is None):
        raise UserError("name a picture of the workspace, or send one.", about="picture")
    if given.png is not None:
        return png_file(given.png, file)
    path = workspace.file(given.id or "")
    if path.suffix.lower() not in (".png", ".gif", ".webp", ".bmp", ".jpg", ".jpeg"):
        raise NotThere("this is no picture of the workspace.")
    return path


def png_file(text: str, file: Path) -> Path:
    """Write a PNG in base64 to ``file``, and return it. Raises UserError for what is no picture."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png_bytes(text))
    return file


def png_bytes(text: str) -> bytes:
    """Return a PNG that was sent as base64, or as a data URL. Raises UserError for what is no picture."""
    try:
        content = base64.b64decode(START.sub("", text, count=1), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError("the picture that was sent is no base64.", about="picture") from error
    check_picture(content)
    return content


def check_picture(content: bytes) -> None:
    """Raises UserError for bytes that are no PNG, or one too large to be edited."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise UserError("the picture that was sent is no PNG.", about="picture")
    try:
        _, rgba = decode(content)[0]
    except Unreadable as error:
        raise UserError(f"the picture that was sent {error}.", about="picture") from error
    if max(rgba.shape[:2]) > LARGEST_SIDE:
        height, width = rgba.shape[:2]
        raise UserError(
            f"a picture of {width}x{height} is too large: at most {LARGEST_SIDE} a side.", about="picture"
        )
