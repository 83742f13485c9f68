"""Does the loss tell training pictures from others? Then the model remembers them.

The attack on membership by a threshold on the loss: Yeom et al. 2018, "Privacy Risk in Machine Learning",
for diffusion models Carlini et al. 2023, "Extracting Training Data from Diffusion Models", section 5.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fogcatcher.base.errors import UserError

Losses = Float[Tensor, " _"]
NORMAL_95 = 1.959963985


@dataclass(frozen=True)
class Membership:
    """How well the loss tells them apart: 1/2 not at all, 1 always; and a 95 % interval."""

    auc: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        figure = f"AUC {self.auc:.3f}, {self.low:.3f} to {self.high:.3f}"
        if self.low > 0.5:
            return f"the loss tells training pictures from others: {figure}"
        return f"the loss does not tell training pictures from others: {figure}"


def membership(training: Losses, held_out: Losses) -> Membership:
    """Return the AUC of calling the smaller loss a training picture, from (n,) and (m,) losses.

        A = P(training < held out) + 1/2 P(equal)
        var A = [A (1 - A) + (n - 1)(Q1 - A^2) + (m - 1)(Q2 - A^2)] / nm
        Q1 = A / (2 - A),   Q2 = 2 A^2 / (1 + A)

    Hanley and McNeil 1982, "The Meaning and Use of the Area under a ROC Curve", equation 2. Measure the
    losses of both at the same times with the same noise. Raises UserError when one is empty or not finite.
    """
    n, m = len(training), len(held_out)
    if not n or not m or not (training.isfinite().all() and held_out.isfinite().all()):
        raise UserError("a test of membership needs finite losses of both training and held-out pictures.")
    ordered = held_out.double().sort().values
    below = torch.searchsorted(ordered, training.double())
    not_above = torch.searchsorted(ordered, training.double(), right=True)
    A = 1 - (below + not_above).double().mean().item() / (2 * m)
    Q1, Q2 = A / (2 - A), 2 * A**2 / (1 + A)
    variance = (A * (1 - A) + (n - 1) * (Q1 - A**2) + (m - 1) * (Q2 - A**2)) / (n * m)
    reach = NORMAL_95 * math.sqrt(max(variance, 0))
    return Membership(A, max(A - reach, 0.0), min(A + reach, 1.0))
