"""Re-flow: a student learns from pairs of noise and what its teacher draws from it.

    x0 = where the teacher goes from prior(eps),   x_t = alpha_t x0 + sigma_t eps,   x0_hat(x_t, t) = E x0

Where any noise goes with any sample of the data, many lines between the two cross, and their mean is a bent
path. The paths of a teacher never meet; the fewer lines cross, the less a large step errs. Liu et al. 2022,
"Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow", section 2.2 and
algorithm 1. A line of theirs is, up to scale, a step of DDIM.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fogcatcher.diffusion.denoiser import DenoiserLike
from fogcatcher.diffusion.distillation import Distillation, GridTimes, Progressive
from fogcatcher.diffusion.objectives import Objective
from fogcatcher.diffusion.tensors import Condition, Samples, Times


@dataclass(frozen=True, kw_only=True)
class Reflow(Objective):
    """The usual objective, where each sample is the one that ``path`` leads to from the noise of that sample.

    The student learns at the times at which it will be asked.
    """

    path: Distillation
    """The teacher's, from the noisiest time to the end."""

    @classmethod
    def of(cls, teacher: DenoiserLike, fine: Times, substeps: int, *, second_order: bool = False) -> Reflow:
        """Raises ValueError where ``fine`` does not part into steps of the student."""
        path = Progressive.of(teacher, fine, substeps, second_order=second_order)
        return cls(times=GridTimes(fine[::substeps]), path=path)

    def drawn(self, noise: Samples, cond: Condition | None) -> Samples:
        """Return what the teacher draws from standard normal noise, (B, ...)."""
        fine = self.path.fine
        x_t = self.path.teacher.process.prior(fine[0].to(noise.device), noise)
        place = torch.zeros(len(noise), dtype=torch.long, device=noise.device)
        return self.path.taught(x_t, place, cond, len(fine) - 1)

    def at(
        self, denoiser: DenoiserLike, x0: Samples, t: Times, noise: Samples, cond: Condition | None = None
    ) -> Times:
        with torch.no_grad():
            x0 = self.drawn(noise, cond)
        return super().at(denoiser, x0, t, noise, cond)
