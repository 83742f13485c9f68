"""Which labs were run for the site (``docs/labs_run.py --site``), and can be shown with their pictures."""

from __future__ import annotations

from jupyter_cache import get_cache

from lab_notebooks import Lab, all_labs
from labs_run import CACHE


def executed_before() -> bool:
    """Whether any lab was run for the site."""
    return (CACHE / "global.db").exists()


def labs_without_outputs() -> list[str]:
    """Return patterns of the labs that were not run as their code stands now."""
    return [f"labs/{lab.path.name}" for lab in all_labs() if not _is_known(lab)]


def _is_known(lab: Lab) -> bool:
    if not executed_before():
        return False
    try:
        get_cache(CACHE).match_cache_notebook(lab.notebook)
    except KeyError:
        return False
    return True
