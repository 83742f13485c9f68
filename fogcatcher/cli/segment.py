"""``fogcatcher segment``: parts of pictures, learnt from a handful of examples on top of a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.numbers import Seed

if TYPE_CHECKING:
    from fogcatcher.applications.segmentation import Masks
    from fogcatcher.data.masks import Labelled
    from fogcatcher.data.pictures.spec import Pictures
    from fogcatcher.data.reading import Dataset

FEWEST_TO_CHECK = 4
SHOWN = 24
SHEET = "sheet.png"


@dataclass
class Segment:
    """Find the parts of pictures, as in a few that you have painted.

    The features inside the trained model tell pixels apart; a small classifier learns from your masks
    which are which, in about a minute. Writes DIR/NAME.mask.png, and sheet.png: picture, mask, both.

    Example:  fogcatcher segment runs/my-sprites new-pictures --labelled painted
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or "sprites"."""
    pictures: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PICTURES", help_behavior_hint="")]
    """One picture, or anything that train reads: a folder, an archive, arrays."""
    labelled: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """Some 5 to 50 examples of the model's size: NAME.png and NAME.mask.png, one plain colour a class."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("masks")
    """Folder for the masks."""
    seed: Seed = 0
    """Seed of the noise and of the classifier."""

    def run(self) -> None:
        from fogcatcher.applications.segmentation import Features, checked, learn
        from fogcatcher.cli.bars import reading_bar, sampling_bar
        from fogcatcher.data.for_model import read_for_model
        from fogcatcher.data.masks import MARK, read_labelled
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.model.model import load

        model = load(self.model)
        spec = model.config.pixels
        known = read_labelled(self.labelled, spec)
        with reading_bar() as progress:
            dataset = _without_masks(read_for_model(self.pictures, spec, model.config.data.options, progress))
        check_ours(self.out, {SHEET, *(f"{name}{MARK}" for name in _file_names(dataset.names))})
        print(f"{len(known.pictures)} labelled pictures, {len(known.colours)} classes", flush=True)
        features = Features(model, self.seed)
        if len(known.pictures) >= FEWEST_TO_CHECK:
            iou = checked(features, known.pictures, known.masks, self.seed)
            print(f"learnt from one half of them, the other half has a mean IoU of {iou:.2f} (1 is perfect)")
        segmenter = learn(features, known.pictures, known.masks, self.seed)
        with sampling_bar() as progress:
            masks = segmenter(dataset.rows[:], progress)
        self._write(dataset, masks, known)
        print(f"{len(masks):,} masks in {self.out}, and {SHEET}")

    def _write(self, dataset: Dataset, masks: Masks, known: Labelled) -> None:
        import torch

        from fogcatcher.data.masks import MARK, paint
        from fogcatcher.data.pictures.sheets import save_png, sheet, to_image

        self.out.mkdir(parents=True, exist_ok=True)
        painted = torch.stack([paint(mask, known.colours) for mask in masks])
        for name, mask in zip(_file_names(dataset.names), painted, strict=True):
            save_png(to_image(mask[None]), self.out / f"{name}{MARK}", {"mask": len(known.colours)})
        shown = sheet(_side_by_side(dataset.rows[:SHOWN], painted[:SHOWN]), columns=9)
        save_png(shown, self.out / SHEET, {"sheet": {"columns": 9}})


def _without_masks(dataset: Dataset) -> Dataset:
    """The data set without the masks that lie beside its pictures."""
    from dataclasses import replace

    import torch

    from fogcatcher.data.masks import MARK

    kept = [i for i, name in enumerate(dataset.names) if not name.endswith(MARK)]
    if not kept:
        raise UserError("all of these pictures are masks: give the pictures that want one.")
    return replace(dataset, rows=dataset.rows[torch.tensor(kept)], names=[dataset.names[i] for i in kept])


def _file_names(names: list[str]) -> list[str]:
    """A plain file name without suffix for every picture, no two the same."""
    import re
    from pathlib import PurePosixPath

    taken: dict[str, int] = {}
    plain = []
    for name in names:
        stem = re.sub(r"[^\w.-]+", "-", str(PurePosixPath(name).with_suffix(""))).strip("-.") or "picture"
        taken[stem] = taken.get(stem, 0) + 1
        plain.append(stem if taken[stem] == 1 else f"{stem}-{taken[stem]}")
    return plain


def _side_by_side(pictures: Pictures, painted: Pictures) -> Pictures:
    """Each picture, its mask, and the picture tinted by its mask, (3 N, 4, H, W)."""
    import torch

    from fogcatcher.data.for_model import with_channels

    whole = with_channels(pictures, 4)
    tinted = whole.clone()
    tinted[:, :3] = ((whole[:, :3].float() + painted[:, :3].float()) / 2).byte()
    return torch.stack([whole, painted, tinted], 1).flatten(0, 1)
