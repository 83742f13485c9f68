"""Modules that once stood elsewhere: scripts and notes of version 0.1 still find them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED: Mapping[str, str] = {
    "data.given_pictures": "data.pictures.given_pictures",
    "diffusion_classifier": "applications.zero_shot",
    "edits": "diffusion.edits",
    "edits.inpainting": "diffusion.edits.inpainting",
    "edits.interpolation": "diffusion.edits.interpolation",
    "edits.recolouring": "diffusion.edits.recoloring",
    "edits.tiling": "diffusion.edits.tiling",
    "edits.variation": "diffusion.edits.variation",
    "evaluation": "judging.evaluation",
    "feature_segmentation": "applications.segmentation",
    "onnx_runtime": "exchange.onnx_runtime",
}
"""The old names that the documents used, below the package."""


class MovedModules(MetaPathFinder, Loader):
    """An old name is the module itself, not a copy of it."""

    def __init__(self, package: str) -> None:
        self.homes = {f"{package}.{old}": f"{package}.{new}" for old, new in MOVED.items()}
        self.own_specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self.homes else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.homes[spec.name])
        self.own_specs[module.__name__] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has been run under its own name, which it keeps."""
        module.__spec__ = self.own_specs.pop(module.__name__)


def find_moved_modules(package: str) -> None:
    """Ask here first: the usual finder would load a second copy of a file in a folder with two names."""
    sys.meta_path.insert(0, MovedModules(package))
