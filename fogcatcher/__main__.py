"""``python -m fogcatcher`` is the command ``fogcatcher``: both come through this door."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line. Ctrl-C while libraries are still being loaded ends it at once."""
    signal.signal(signal.SIGINT, _interrupt)
    from fogcatcher.cli.main import main as run

    run()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Inside libraries that load, an exception would be lost or end in an abort; files are written whole."""
    if _has_loaded():
        signal.default_int_handler(number, frame)
    os.write(2, b"\nfogcatcher: stopped.\n")
    os._exit(130)


def _has_loaded() -> bool:
    """Whether torch, the last of the libraries that take long, is there."""
    torch = sys.modules.get("torch")
    return torch is not None and not getattr(torch.__spec__, "_initializing", False)


if __name__ == "__main__":
    main()
