"""Files of the workspace, byte for byte, and the built-in sprites."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse, Response

from fogcatcher.studio.builtin_pictures import built_in_picture
from fogcatcher.studio.guard import DOCUMENT_POLICY
from fogcatcher.studio.routes.asks import Asks
from fogcatcher.studio.workspace import BUILT_IN, SERVED

router = APIRouter()
DOWNLOADED = (".zip", ".safetensors", ".onnx", ".pt2")


@router.get("/files/{path:path}", include_in_schema=False)
@router.head("/files/{path:path}", include_in_schema=False)
def file(studio: Asks, path: str) -> FileResponse:
    """One file of data/, runs/, drawings/ or exports/."""
    found = studio.workspace.file(path)
    suffix = found.suffix.lower()
    headers = {"cache-control": "no-cache"}
    if suffix == ".html":
        headers["content-security-policy"] = DOCUMENT_POLICY
    else:
        headers["content-security-policy"] = "default-src 'none'; sandbox"
    name = found.name if suffix in DOWNLOADED else None
    return FileResponse(found, media_type=SERVED[suffix], headers=headers, filename=name)


@router.get(f"/shipped/{BUILT_IN}/{{number}}.png", include_in_schema=False)
def sprite(number: Annotated[int, Path(ge=0, le=63)]) -> Response:
    """One of the built-in sprites."""
    return Response(
        built_in_picture(number), media_type="image/png", headers={"cache-control": "max-age=3600"}
    )
