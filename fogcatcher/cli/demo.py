"""``fogcatcher demo``: the whole of the program in five minutes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fogcatcher.runs.setup import Minutes

if TYPE_CHECKING:
    from fogcatcher.drawing.drawing import Drawing
    from fogcatcher.model.model import Model

COLUMNS = 8


@dataclass
class Demo:
    """Draw sprites with the shipped model, train a new one from it in three minutes, draw with that.

    Example:  fogcatcher demo --out demo
    """

    out: Path = Path("demo")
    """Folder for everything the demo makes."""
    minutes: Minutes = 3.0
    """Time to train."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.cli.terminal import show
        from fogcatcher.cli.train import describe_run, follow_on_screen
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.model.model import load
        from fogcatcher.runs.follow import follow
        from fogcatcher.runs.prepare import prepare
        from fogcatcher.runs.setup import Setup

        check_ours(self.out, {"shipped-sheet.png", "new-sheet.png", "denoising.gif"})
        self.out.mkdir(parents=True, exist_ok=True)
        print("1. Sprites from the model that comes with the program")
        start = time.perf_counter()
        shipped = draw_by_class(load("sprites"))
        shipped_sheet = self.out / "shipped-sheet.png"
        shipped.save_sheet(shipped_sheet)
        show(shipped.pictures[::COLUMNS])
        print(f"   {len(shipped.pictures)} sprites in {time.perf_counter() - start:.1f} s: {shipped_sheet}")

        print(f"\n2. A new model, started from the shipped one: {self.minutes:g} minutes on the same sprites")
        run = prepare(Setup("sprites", self._free_run(), minutes=self.minutes))
        describe_run(run)
        follow_on_screen(run, follow(run))

        print("\n3. Sprites from the new model")
        model = load(run.folder)
        drawn = draw_by_class(model, keep_frames=True)
        show(drawn.pictures[::COLUMNS])
        drawn.save(run.folder / "sprites")
        new_sheet, gif = self.out / "new-sheet.png", self.out / "denoising.gif"
        drawn.save_sheet(new_sheet)
        drawn.save_gif(gif)

        print(f"""
Where everything lies:
  {shipped_sheet}   from the shipped model
  {new_sheet}   the same seeds from the model you have just trained
  {gif}   from noise to sprites
  {run.folder / "sprites"}/   {len(drawn.pictures)} sprites, a PNG each
  {run.folder}/   the model: config.json, model.safetensors, metrics.jsonl, samples/

Your own pictures, one folder per class or all in one:
  {command_name()} train path/to/pictures --minutes 10""")

    def _free_run(self) -> Path:
        """A folder that holds no run yet: the demo may be repeated."""
        folder, number = self.out / "run", 1
        while folder.exists():
            number += 1
            folder = self.out / f"run-{number}"
        return folder


def draw_by_class(model: Model, keep_frames: bool = False) -> Drawing:
    """Draw eight pictures of every class of the model's main attribute, a class a row."""
    classes = model.conditions.main.features if model.conditions.main else 1
    return model.sample(seeds=range(COLUMNS * classes), keep_frames=keep_frames)
