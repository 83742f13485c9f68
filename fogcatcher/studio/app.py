"""The service: what a page asks for, and what it is told. OpenAPI describes it at /api/openapi.json."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from fogcatcher.base.errors import UserError
from fogcatcher.base.version import __version__
from fogcatcher.studio.guard import WRITES_A_SECOND, Guard
from fogcatcher.studio.jobs import Full
from fogcatcher.studio.routes import data, drawings, files, jobs, models, overview, tools
from fogcatcher.studio.studio import Studio
from fogcatcher.studio.to_json import parts_of
from fogcatcher.studio.watch import Watcher
from fogcatcher.studio.workspace import NotThere

PAGE = Path(__file__).parent / "page"
"""What ``make studio`` builds."""
NO_PAGE = """<!doctype html><html lang="en"><title>Fogcatcher</title>
<p>The service runs, and its page has not been built yet. In a clone of the project: <code>make studio</code>.
"""


def create_app(studio: Studio, token: str | None = None, a_second: float = WRITES_A_SECOND) -> FastAPI:
    """Return the service of one workspace; ``token`` is asked for where other machines can reach it."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watcher = Watcher(studio.workspace)
        watcher.start()
        feeding = asyncio.create_task(studio.feed.run())
        yield
        studio.feed.close()
        watcher.stop()
        await feeding

    app = FastAPI(
        title="Fogcatcher studio",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={400: {"description": "It cannot be done; one sentence says why."}},
    )
    app.state.studio = studio
    for routes in (overview, models, data, jobs, drawings, tools, files):
        app.include_router(routes.router)
    app.add_exception_handler(UserError, _of_person)
    app.add_exception_handler(RequestValidationError, _of_form)
    app.add_exception_handler(HTTPException, _of_address)
    app.add_exception_handler(OSError, _of_disk)
    if (PAGE / "index.html").is_file():
        app.mount("/", StaticFiles(directory=PAGE, html=True))
    else:
        app.add_api_route("/", lambda: HTMLResponse(NO_PAGE), include_in_schema=False)
    app.add_middleware(Guard, token=token, a_second=a_second)
    return app


async def _of_person(request: Request, error: Exception) -> Response:
    """A mistake that a person can mend: one sentence, and the field that it is about."""
    assert isinstance(error, UserError)
    status = 404 if isinstance(error, NotThere) else 429 if isinstance(error, Full) else 400
    about = error.options[0] if error.options else None
    return JSONResponse({"error": str(error), "about": about, "said": parts_of(error.said)}, status)


async def _of_form(request: Request, error: Exception) -> Response:
    """A field that is missing, unknown, of another type or out of its range."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if not isinstance(part, int)]
    field = where[-1] if len(where) > 1 else None
    what = first["msg"][:1].lower() + first["msg"][1:]
    said = f"{field}: {what}." if field else f"{what}."
    return JSONResponse({"error": said[:500].encode("utf-8", "replace").decode(), "about": field}, 422)


async def _of_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "there is nothing at this address.", 405: "that cannot be done at this address."}
    text = said.get(error.status_code, str(error.detail))
    return JSONResponse({"error": text, "about": None}, error.status_code)


async def _of_disk(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    where = f"{Path(str(error.filename)).name}: " if error.filename else ""
    return JSONResponse({"error": f"{where}{error.strerror or error}.", "about": None}, 507)
