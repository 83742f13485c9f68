"""Every small size, square or not: trained, drawn, and masked, with exactly that size coming back."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.samplers import sample
from fogcatcher.diffusion.tensors import Condition, Samples, Times
from fogcatcher.model.build import build_grid, build_sampler
from fogcatcher.model.config import Method
from fogcatcher.model.model import Model
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare
from fogcatcher.runs.setup import Setup

SIZES = [(n, n) for n in (8, 12, 16, 20, 24, 28, 31, 32, 40, 48, 56, 64)] + [(24, 16), (32, 24), (16, 40)]


@dataclass
class KnownPixels:
    """A denoiser that knows the picture where the mask is 0: what inpainting needs of every size."""

    inner: Denoiser
    known: torch.Tensor
    mask: torch.Tensor

    @property
    def process(self):
        return self.inner.process

    def __call__(self, x_t: Samples, t: Times, cond: Condition | None = None) -> Samples:
        return torch.where(self.mask > 0, self.inner(x_t, t, cond), self.known)


def drawn_with_a_mask(model: Model, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of noise except for a border that is known; and the mask, (1, 1, H, W)."""
    mask = torch.zeros(1, 1, *known.shape[2:])
    mask[..., 2:-3, 3:-1] = 1
    denoiser = KnownPixels(model.denoiser, known, mask)
    start = denoiser.process.prior(torch.ones(()), torch.randn(1, *known.shape[1:]))
    times = build_grid("karras", Method())(denoiser.process.schedule, 2)
    *_, last = sample(denoiser, start, times, build_sampler("heun"), SampleGenerator([0]))
    return last.x, mask


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
@pytest.mark.slow
def test_two_steps_a_drawing_and_a_mask(tmp_path, size):
    pictures = np.random.default_rng(0).integers(0, 256, (6, *size, 3), np.uint8)
    np.save(tmp_path / "data.npy", pictures)
    run = prepare(Setup(str(tmp_path / "data.npy"), tmp_path / "run", steps=2, width=16, batch_size=4))
    assert [progress.step for progress in follow(run)] == [1, 2]
    model = run.model
    drawing = model.sample(2, steps=2)
    assert drawing.pictures.shape == (2, 3, *size)
    assert drawing.images[0].size == (size[1], size[0])
    known = torch.from_numpy(pictures[:1]).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        x, mask = drawn_with_a_mask(model, known)
    assert x.shape == (1, 3, *size)
    torch.testing.assert_close(x * (1 - mask), known * (1 - mask))
    assert (x - known)[mask.expand_as(x) > 0].abs().min() > 0
