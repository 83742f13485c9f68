"""Small pictures made large: how true to them, how sharp, and what noise in training does for damaged ones.

python benchmarks/upscaling.py DATA [--size 32] [--factor 2] [--steps 2000] [--pictures 256]
                               [--limit N] [--out runs/upscaling]

Trains two upscalers on one core, with noise on the small pictures (levels up to 0.5) and without, and draws
held-out pictures from their small ones. Rows: PSNR of the result's block means to the small picture; energy
of the differences between neighbours, as a multiple of the real pictures'; PSNR to the real large pictures.
FD(builtin) is that of the drawn pictures to the real ones. Then the same for small pictures whose colours are
damaged by noise. Models that are in --out already are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from fogcatcher.data.kinds import read_of_kind
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.data.splitting import split
from fogcatcher.judging.metrics.features import builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.model.model import Model, load
from fogcatcher.model.upscale_files import enlarge
from fogcatcher.runs.train import train

LEVELS = (0.0, 0.2, 0.4)
DAMAGES = (0.1, 0.25)
"""Standard deviations of the noise on damaged small pictures, as shares of the range."""


def psnr(a: Tensor, b: Tensor) -> float:
    """Of samples in [-1, 1], in dB."""
    return float(10 * torch.log10(4 / (a - b).square().mean()))


def edges(x: Tensor) -> float:
    """Mean square of the differences between neighbours, of what is seen over black."""
    return float((x.diff(dim=-1).square().mean() + x.diff(dim=-2).square().mean()) / 2)


def upscaler(given: argparse.Namespace, noise: float) -> Model:
    out = given.out / f"noise-{noise:g}"
    if not (out / "model.safetensors").exists():
        train(
            given.data,
            out,
            size=given.size,
            options=DataOptions(limit=given.limit),
            steps=given.steps,
            conditions="none",
            upscale=given.factor,
            upscale_noise=noise,
        )
    return load(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--factor", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path, default=Path("runs/upscaling"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    robust, strict = upscaler(given, 0.5), upscaler(given, 0.0)

    options, upscaling = robust.config.data.options, robust.config.upscaling
    assert upscaling is not None
    dataset = read_of_kind(robust.config.kind, given.data, options, None)
    parts = split(dataset, options, robust.conditions)
    rows = dataset.rows[parts.held_out[: given.pictures]]
    x, small = to_model(rows), upscaling.shrunk(rows)
    y, seeds, look = upscaling.small(x), range(len(rows)), builtin()
    real = gaussian(look(rows))

    def report(name: str, drawn: Tensor) -> None:
        answer, found = to_model(drawn), gaussian(look(drawn))
        print(
            f"{name:34} block means {psnr(upscaling.small(answer), y):5.1f} dB"
            f"   edges {edges(answer) / edges(x):4.2f} of real   to the real ones {psnr(answer, x):5.1f} dB"
            f"   FD {frechet(real, found):6.2f}",
            flush=True,
        )

    report("others of the set (ignoring it)", rows.roll(1, 0))
    bicubic = F.interpolate(small.float(), scale_factor=given.factor, mode="bicubic").round().clamp(0, 255)
    report("bicubic", bicubic.to(torch.uint8))
    report(
        "every pixel a block", small.repeat_interleave(given.factor, -1).repeat_interleave(given.factor, -2)
    )
    for name, model in (("noise in training", robust), ("no noise in training", strict)):
        report(f"{name}, loose", enlarge(model, small, seeds, exact=False).rows)
        report(f"{name}, exact", enlarge(model, small, seeds).rows)

    for damage in DAMAGES:
        noise = 255 * damage * torch.randn(small.shape, generator=torch.Generator().manual_seed(0))
        if robust.config.pictures.has_alpha:
            noise[:, -1] = 0  # a grain in colours; outlines stay
        damaged = (small + noise).round().clamp(0, 255).to(torch.uint8)
        print(f"small pictures with noise of {damage:g} on their colours:")
        report("no noise in training, loose", enlarge(strict, damaged, seeds, exact=False).rows)
        for level in LEVELS:
            answer = enlarge(robust, damaged, seeds, noise=level, exact=False).rows
            report(f"noise in training, told {level:g}", answer)


if __name__ == "__main__":
    main()
