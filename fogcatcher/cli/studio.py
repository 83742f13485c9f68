"""``fogcatcher studio``: the whole program in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import Range

Port = Annotated[int, Range(0, 65_535)]


@dataclass
class Studio:
    """Open the program in a browser: data, training, drawing, judging, without a command to type.

    What it makes lies in the folder as the other commands write it: data/, runs/, drawings/, exports/. It
    needs the extra studio:  pip install 'fogcatcher[studio]'

    Example:  fogcatcher studio my-game
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = Path(".")
    """Folder to work in; it is made where it is missing."""
    port: Annotated[Port | None, tyro.conf.arg(metavar="PORT", help_behavior_hint="")] = None
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
        serve(self.folder, self.port, self.host, self.browser, _say)


def _say(line: str) -> None:
    print(line, flush=True)
