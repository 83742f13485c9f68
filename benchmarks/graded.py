"""Do the figures rank models as their training times do, and does FD(builtin) follow the truth?

python benchmarks/graded.py [--minutes 1 3 10 30] [--runs DIR] [--sheet FILE.png]

Five models of the built-in sprites: one that has not learnt (a single step), and one for each time. Every
distance should fall from each to the next. The rules that drew the sprites then say how many of the drawn
pictures are the item that was asked for; that share is the truth that FD(builtin) should follow. For more
points, every model also draws with few sampling steps, which spoils its pictures. A run that is already in
--runs is not trained again.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from unseen import Judge, combinations

import fogcatcher
from fogcatcher.data.pictures.sheets import save_png, sheet
from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.data.reading import Dataset, read_dataset
from fogcatcher.data.splitting import split
from fogcatcher.drawing.settings import AS_THE_DATA
from fogcatcher.judging.evaluation import Settings, draw
from fogcatcher.judging.metrics.features import builtin
from fogcatcher.judging.metrics.scores import Comparison, compare

SAMPLES = 1000
SAMPLING_STEPS = (20, 6)
SHOWN = 16
CONDITIONS = ("kind", "item", "palette")


def trained(folder: Path, minutes: float) -> Path:
    """The run of so many minutes; 0 stands for one step."""
    run = folder / f"{minutes:g}-minutes"
    if not (run / "done").exists():
        how_long = {"minutes": minutes} if minutes else {"steps": 1}
        fogcatcher.train("sprites", run, conditions=CONDITIONS, start_from="none", **how_long)  # type: ignore[arg-type]
        (run / "done").touch()
    return run


def right_items(judge: Judge, dataset: Dataset, asked: torch.Tensor, pictures: Pictures) -> float:
    """The share of pictures that are of the item asked for, by the rules that draw the sprites."""
    named = judge.name(pictures)
    wanted = [dataset.columns["item"][row] for row in asked.tolist()]
    return sum(name[1] == want for name, want in zip(named, wanted, strict=True)) / len(wanted)


def judged(arguments: argparse.Namespace) -> Iterator[tuple[float, int, Comparison, float, Pictures]]:
    """Yield minutes, sampling steps, all figures, the share of right items, and the pictures."""
    judge, look = Judge(combinations()), builtin()
    for minutes in (0.0, *arguments.minutes):
        model = fogcatcher.load(trained(arguments.runs, minutes))
        dataset = read_dataset("sprites", model.config.data.options)
        training = split(dataset, model.config.data.options).train.unique()
        order = training[torch.randperm(len(training), generator=torch.Generator().manual_seed(0))]
        real, asked = dataset.rows[order[: 2 * SAMPLES]], order[:SAMPLES]
        for steps in SAMPLING_STEPS:
            pictures = draw(model, dataset, asked, Settings(SAMPLES, replace(AS_THE_DATA, steps=steps)))
            figures = compare(real, pictures, look, torch.Generator().manual_seed(1), intervals=False)
            yield minutes, steps, figures, right_items(judge, dataset, asked, pictures), pictures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 3.0, 10.0, 30.0])
    parser.add_argument("--runs", type=Path, default=Path("runs/graded"))
    parser.add_argument("--sheet", type=Path, default=Path("runs/graded/sheet.png"))
    arguments = parser.parse_args()
    rows, shown = [], []
    for minutes, steps, figures, right, pictures in judged(arguments):
        rows.append((minutes, steps, figures, right))
        if steps == SAMPLING_STEPS[0]:
            shown.append(pictures[:SHOWN])
        print(f"{minutes:g} minutes, {steps} sampling steps: {right:.1%} of the right item", flush=True)
    for score in rows[0][2].scores:
        values = [{s.name: s.value for s in f.scores}[score.name] for _, n, f, _ in rows if n == 20]
        falling = [b < a if score.better == "lower" else b > a for a, b in itertools.pairwise(values)]
        verdict = "right" if all(falling) else "WRONG"
        print(
            f"{score.name:22}"
            + "".join(f"{v:12.4g}" for v in values)
            + f"   floor {score.floor:.4g}   {verdict}"
        )
    distances = [figures.scores[0].value for _, _, figures, _ in rows]
    rights = [right for *_, right in rows]
    print(f"{rows[0][2].scores[0].name} against the share of right items, {len(rows)} points:")
    pairs = torch.tensor([distances, rights], dtype=torch.float64)
    print(f"  rank correlation {torch.corrcoef(pairs.argsort(1).argsort(1).double())[0, 1].item():.3f}")
    pairs[0] = pairs[0].log()
    print(f"  correlation of its logarithm {torch.corrcoef(pairs)[0, 1].item():.3f}")
    names = ["one step", *(f"{m:g} min" for m in arguments.minutes)]
    save_png(sheet(torch.cat(shown), SHOWN, zoom=3, rows=names), arguments.sheet)


if __name__ == "__main__":
    main()
