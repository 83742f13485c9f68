"""What may be chosen about making small pictures large. It loads nothing."""

from __future__ import annotations

from typing import Annotated

from fogcatcher.base.typed_json import Range

Factor = Annotated[int, Range(2, 16)]
"""How much wider and higher pictures become."""
NoiseLevel = Annotated[float, Range(0, 1)]
"""Of the noise on small pictures: 0 is none, 1 noise alone."""
MOST_TRAINED = 0.5
"""Levels from 0 to this one are trained where nothing else is said."""
BETWEEN_MODELS = 0.1
"""Level put on what a model has drawn before another makes it large: its small errors are not to be kept."""
