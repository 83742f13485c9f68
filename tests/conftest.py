"""Shapes and types of the whole package are checked while the tests run; the user's cache stays alone."""

import os
import tempfile

# The tests run side by side, and so do the programs that they start: one thread each, before torch is there.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from jaxtyping import install_import_hook

from tests import typechecker

install_import_hook("fogcatcher", f"{typechecker.__name__}.check")

_CACHE = tempfile.TemporaryDirectory(prefix="fogcatcher-tests-")
os.environ["FOGCATCHER_CACHE"] = _CACHE.name
os.environ |= {"HF_HOME": f"{_CACHE.name}/huggingface", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(autouse=True)
def a_test_that_learns_for_a_short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' two-sample test takes a minute; its own tests say how long it learns."""
    monkeypatch.setattr("fogcatcher.judging.evaluation.TELLING_STEPS", 40)
