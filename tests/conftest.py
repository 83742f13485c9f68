"""Shapes and types of the whole package are checked while the tests run."""

from jaxtyping import install_import_hook

from tests import typechecker

install_import_hook("fogcatcher", f"{typechecker.__name__}.check")
