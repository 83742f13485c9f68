"""Drawn pictures: how they are asked for, finished, laid out, kept, and what they say of themselves."""

from fogcatcher.drawing.settings import Settings, Steering

__all__ = ["Settings", "Steering"]
