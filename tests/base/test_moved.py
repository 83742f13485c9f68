"""Old names of modules lead to the modules themselves, and public names are there."""

import importlib

import fogcatcher
from fogcatcher.base.moved import MOVED


def test_every_old_name_is_the_module_and_no_copy():
    for old, new in MOVED.items():
        module = importlib.import_module(f"fogcatcher.{new}")
        assert importlib.import_module(f"fogcatcher.{old}") is module
        assert module.__name__ == f"fogcatcher.{new}"
        assert module.__spec__ is not None and module.__spec__.name == f"fogcatcher.{new}"


def test_every_public_name_is_there_and_of_one_kind():
    from fogcatcher.edits.inpainting import Inpaint  # pyright: ignore[reportMissingImports]

    from fogcatcher.drawing import Steering

    assert all(getattr(fogcatcher, name) for name in fogcatcher.__all__)
    assert Inpaint is fogcatcher.Inpaint and Steering is fogcatcher.Steering
