"""Everything that a request may need, put together once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property

from fogcatcher.studio.database import Database
from fogcatcher.studio.datasets import DataSets
from fogcatcher.studio.feed import Feed
from fogcatcher.studio.gallery import Gallery
from fogcatcher.studio.jobs import Jobs
from fogcatcher.studio.models import Models
from fogcatcher.studio.recipes import Recipes
from fogcatcher.studio.workspace import Workspace

HEAVY_AT_ONCE = 2
"""Requests that compute for a while."""


@dataclass
class Studio:
    """One workspace, as the service sees it."""

    workspace: Workspace
    heavy: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(HEAVY_AT_ONCE)
    )

    @cached_property
    def database(self) -> Database:
        return Database(self.workspace.hidden)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.database)

    @cached_property
    def models(self) -> Models:
        return Models(self.workspace)

    @cached_property
    def recipes(self) -> Recipes:
        return Recipes(self.models)

    @cached_property
    def datasets(self) -> DataSets:
        return DataSets(self.workspace)

    @cached_property
    def gallery(self) -> Gallery:
        return Gallery(self.workspace, self.database)

    @cached_property
    def feed(self) -> Feed:
        return Feed(Database(self.workspace.hidden))
