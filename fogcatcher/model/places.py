"""Where a model lies: a run directory, one that comes with the program, or one of the Hub.

It loads nothing, so that a wrong name is told at once.
"""

from __future__ import annotations

from pathlib import Path

from fogcatcher.base.errors import UserError
from fogcatcher.data.values import PREFIX

CONFIG = "config.json"
SHIPPED = Path(__file__).parents[1] / "shipped"
FEATURES = "features"
"""The shipped weights that are no model."""


def local_folder(run: str) -> Path | None:
    """Return the folder of a model on this machine; None for the name of one of the Hub.

    Raises UserError where it can be neither.
    """
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))
    # A folder of that name that holds no model, such as an evaluation, hides none.
    if run in shipped and not (Path(run) / CONFIG).is_file():
        return SHIPPED / run
    if Path(run).exists():
        return Path(run)
    if run == FEATURES:
        raise UserError(
            "features is no model that draws: it is the network by which drawn pictures are compared with "
            f"real ones, and evaluate takes it by itself. Models that draw: {', '.join(shipped)}."
        )
    if run.startswith(PREFIX):
        return None
    raise UserError(
        f"there is no run directory {run}, and no shipped model of that name "
        f"(shipped: {', '.join(shipped) or 'none'}; one of the Hub is called {PREFIX}user/name)."
    )
