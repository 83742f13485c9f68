"""``fogcatcher inspect``: what is in a folder, before any training."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from fogcatcher.data.reading import Dataset


@dataclass
class Inspect:
    """Say what a folder holds: pictures, sizes, classes, and what could not be read.

    Example:  fogcatcher inspect my-sprites
    """

    path: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
    """Folder of pictures or IDX files, or "sprites" for the built-in set."""
    size: Annotated[str | None, tyro.conf.arg(metavar="SIZE", help_behavior_hint="")] = None
    """Size to fit the pictures to: 16, or 24x32 for width x height. Default: the usual one."""
    condition: Annotated[str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="")] = None
    """Column of labels to use."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """List every skipped file."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import parse_size
        from fogcatcher.runs import open_dataset

        size = parse_size(self.size) if self.size else None
        for line in describe(open_dataset(self.path, size, self.condition), self.verbose):
            print(line)


def describe(dataset: Dataset, verbose: bool = False) -> list[str]:
    """Return what to tell a person about a data set, a line each."""
    n, channels, height, width = dataset.pictures.shape
    kinds = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}
    lines = [f"{n:,} pictures, used as {width}x{height} {kinds[channels]}"]
    sizes = ", ".join(f"{w}x{h} ({count:,})" for (h, w), count in dataset.sizes.most_common(5))
    more = f" and {len(dataset.sizes) - 5} more sizes" if len(dataset.sizes) > 5 else ""
    lines.append(f"sizes found: {sizes}{more}")
    fitted = sum(count for size, count in dataset.sizes.items() if size != (height, width))
    if fitted:
        lines.append(f"{fitted:,} pictures are shrunk or padded to {width}x{height}")
    lines += dataset.notes
    for name, column in dataset.labels.items():
        counts = Counter(column)
        missing = counts.pop(None, 0)
        listed = ", ".join(f"{value} ({count:,})" for value, count in sorted(counts.items()))
        lines.append(f"{name}: {listed}" + (f"; missing for {missing:,}" if missing else ""))
    if dataset.skipped:
        lines.append(f"{len(dataset.skipped):,} files skipped:")
        shown = list(dataset.skipped.items())[: None if verbose else 5]
        lines += [f"  {name}: {reason}" for name, reason in shown]
        if len(shown) < len(dataset.skipped):
            lines.append(f"  and {len(dataset.skipped) - len(shown):,} more (inspect --verbose lists all)")
    return lines
