"""Modules imported when something in them is asked for: they need torch, and help does not wait for that."""

from __future__ import annotations

from importlib import import_module


class Later:
    """A module of this program by its full name; its names are looked up when they are used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self._name), name)
