"""How a request gets at the studio."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from fogcatcher.studio.studio import Studio


def _studio(request: Request) -> Studio:
    return request.app.state.studio


Asks = Annotated[Studio, Depends(_studio)]
