"""How well an autoencoder gives pictures back, which is the best that anything drawn through it can be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from fogcatcher.data.latents.first_stage import FirstStage
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.data.pictures.store import Pictures
from fogcatcher.judging.metrics.features import builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.networks.bottlenecks import Codebook, used

FEWEST = 64
"""Of fewer pictures features have no covariance worth comparing."""
MOST_PSNR = 99.0
"""Of a picture that comes back as it was."""


@dataclass(frozen=True)
class Returned:
    """How near to the real pictures those are that came back."""

    pictures: int
    psnr: float
    """Mean over the pictures of 10 log10(255^2 / mean squared error), in dB."""
    worst: float
    """Of the one picture that came back worst."""
    frechet: float | None
    """Frechet distance between the built-in features of real and returned pictures, as rFID by Inception's;
    None for too few pictures."""
    floor: float | None
    """The same between two halves of the real ones: the least that can be told apart from no difference."""
    alpha: float | None
    """Share of pixels whose alpha came back as it was: of those that were opaque or not there, where the
    drawn ones are that alone. None where there is no alpha."""
    codes: float | None = None
    """Share of all codes that any position of any picture chose; None without codes."""

    @property
    def in_words(self) -> str:
        said = f"{self.pictures:,} pictures come back at {self.psnr:.1f} dB (the worst at {self.worst:.1f})"
        if self.frechet is not None and self.floor is not None:
            said += f", FD(builtin) {self.frechet:.2f} (two halves of the real ones: {self.floor:.2f})"
        said += f", {self.alpha:.2%} of alpha as it was" if self.alpha is not None else ""
        return said + (f", {self.codes:.0%} of the codes in use" if self.codes is not None else "")


def psnr(real: Pictures, returned: Pictures) -> Float64[Tensor, " B"]:
    """Return the peak signal-to-noise ratio of each picture, in dB; at most 99, of one that is the same."""
    error = (real.double() - returned.double()).square().flatten(1).mean(1)
    return (10 * torch.log10(255**2 / error)).clamp(max=MOST_PSNR)


def judged(stage: FirstStage, rows: Pictures) -> Returned:
    """Compare pictures, (N, C, H, W), with what comes back of them."""
    returned = stage.returned(rows)
    found, spec = psnr(rows, returned), stage.pictures
    distance = floor = None
    if len(rows) >= FEWEST:
        look = builtin()
        real, back = look(rows), look(returned)
        distance = frechet(gaussian(real), gaussian(back))
        floor = frechet(gaussian(real[::2]), gaussian(real[1::2]))
    return Returned(
        len(rows),
        found.mean().item(),
        found.min().item(),
        distance,
        floor,
        _alpha(spec, rows, returned),
        _codes(stage, rows),
    )


def _codes(stage: FirstStage, rows: Pictures) -> float | None:
    book = stage.network.bottleneck
    if not isinstance(book, Codebook):
        return None
    return used(book, torch.cat([*stage.encoded(rows)]).to(book.codes))


def _alpha(spec: PictureSpec, real: Pictures, returned: Pictures) -> float | None:
    if not spec.has_alpha:
        return None
    before, after = real[:, -1], returned[:, -1]
    counted = (before == 0) | (before == 255) if spec.hard_alpha else before >= 0
    return (before == after)[counted].double().mean().item()
