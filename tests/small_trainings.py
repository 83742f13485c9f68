"""The smallest model that learns, data of which the best answer is known, and runs to train on."""

from pathlib import Path

import torch
from torch import nn

from fogcatcher.diffusion.denoiser import Denoiser, EDMPreconditioning
from fogcatcher.diffusion.objectives import LogNormalTimes, Objective
from fogcatcher.diffusion.process import Process
from fogcatcher.diffusion.schedules import EDMSchedule
from fogcatcher.runs.log import read_rows
from fogcatcher.training.fit import Plan, TrainingState


class Affine(nn.Module):
    """F(x, c_noise) = w(c_noise) x + b(c_noise), with both piecewise linear over 33 knots."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(33, 2))

    def forward(self, x, noise_label, cond):
        position = ((noise_label + 2) * 8).clamp(0, 31.999)
        i = position.floor().long()
        weights = torch.lerp(self.table[i], self.table[i + 1], (position - i)[:, None].to(self.table))
        return weights[:, :1, None, None] * x + weights[:, 1:, None, None]


def grey_data(n: int = 512) -> torch.Tensor:
    """Pictures of one pixel in 8 x 8 copies would be dependent: every pixel is its own draw, N(0.2, 0.3)."""
    x = 0.2 + 0.3 * torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def affine_state(plan: Plan) -> TrainingState:
    torch.manual_seed(0)
    preconditioning = EDMPreconditioning(sigma_data=0.3)
    return TrainingState.start(Denoiser(Affine(), Process(EDMSchedule()), preconditioning), plan)


def table(denoiser: nn.Module) -> torch.Tensor:
    return denoiser.get_parameter("network.table")


OBJECTIVE = Objective(LogNormalTimes(-0.8, 1.4))


def save_pictures(folder: Path, n: int) -> None:
    from PIL import Image

    for i in range(n):
        colour = (40 * i % 256, 90, 200, 255)
        picture = Image.new("RGBA", (12, 10), (0, 0, 0, 0))
        picture.paste(colour, (2, 2, 9, 8))
        target = folder / ("warm" if i % 2 else "cold") / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target)


def losses_of(run: Path) -> dict[int, float]:
    return {int(row["step"]): row["loss"] for row in read_rows(run / "metrics.jsonl")}
