"""Shapes and types of the whole package are checked while the tests run; the user's cache stays alone."""

import os
import tempfile

from jaxtyping import install_import_hook

from tests import typechecker

install_import_hook("fogcatcher", f"{typechecker.__name__}.check")

_CACHE = tempfile.TemporaryDirectory(prefix="fogcatcher-tests-")
os.environ["FOGCATCHER_CACHE"] = _CACHE.name
os.environ |= {"HF_HOME": f"{_CACHE.name}/huggingface", "HF_HUB_OFFLINE": "1"}
