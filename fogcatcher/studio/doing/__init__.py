"""How each kind of job is done."""

from __future__ import annotations

from collections.abc import Mapping

from fogcatcher.studio.doing.drawing import draw
from fogcatcher.studio.doing.editing import edit
from fogcatcher.studio.doing.explaining import compare_settings, explain
from fogcatcher.studio.doing.exporting import export
from fogcatcher.studio.doing.judging import evaluate
from fogcatcher.studio.doing.training import train
from fogcatcher.studio.work import Do

DOING: Mapping[str, Do] = {
    "draw": draw,
    "edit": edit,
    "train": train,
    "explain": explain,
    "grid": compare_settings,
    "evaluate": evaluate,
    "export": export,
}
