"""``fogcatcher studio``: the whole program in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fogcatcher.base.errors import UserError


@dataclass
class Studio:
    """Open the program in a browser: data, training, drawing, judging, without a command to type.

    What it makes lies in the folder as the other commands write it: data/, runs/, drawings/, exports/. It
    needs the extra studio:  pip install 'fogcatcher[studio]'

    Example:  fogcatcher studio my-game
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = Path(".")
    """Folder to work in; it is made where it is missing."""
    port: Annotated[int | None, tyro.conf.arg(metavar="PORT", help_behavior_hint="")] = None
    """Port to listen at. Default: 8631, or the next one that is free."""
    host: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")] = None
    """Listen at this address, such as 0.0.0.0, for other machines; they need the whole link, with its token.
    Default: this machine only."""
    browser: bool = True
    """Open no browser, only print the link."""

    def run(self) -> None:
        try:
            from fogcatcher.studio.serving import serve
        except ModuleNotFoundError as error:
            if error.name not in ("fastapi", "uvicorn", "python_multipart", "starlette", "pydantic"):
                raise
            raise UserError(
                f"the studio needs {error.name}, which is not installed: pip install 'fogcatcher[studio]'."
            ) from error
        if self.port is not None and not 0 <= self.port <= 65_535:
            raise UserError(f"--port {self.port} is no port: give one from 0 to 65535.")
        serve(self.folder, self.port, self.host, self.browser, _say)


def _say(line: str) -> None:
    print(line, flush=True)
