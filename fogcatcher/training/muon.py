"""Muon: momentum whose directions all count the same. It needs fewer steps than AdamW for kernels."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fogcatcher.training.sharding import like, whole

# The quintic of Jordan et al. 2024: five rounds carry every singular value above 0.01 or so into [0.7, 1.2].
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return about ``U V^T`` of the singular value decomposition ``matrix = U S V^T``, (m, n).

        X <- a X + b (X X^T) X + c (X X^T)^2 X,   starting from matrix / |matrix|

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". Every X is a
    polynomial in G = X X^T times the first X. So the rounds run on the small Gram matrix alone, and the
    long side is multiplied twice instead of ten times.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalise(matrix.T).T
    gram = matrix @ matrix.T
    size = gram.diagonal().sum() + 1e-12
    gram = gram / size
    polynomial = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for _ in range(ROUNDS):
        factor = B * gram + C * (gram @ gram)
        factor.diagonal().add_(A)
        polynomial = factor @ polynomial
        gram = factor @ gram @ factor
    return polynomial @ (matrix / size.sqrt())


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, for kernels and matrices; the rest belongs to AdamW.

        momentum  <- mu momentum + (1 - mu) gradient
        direction  = mu momentum + (1 - mu) gradient
        weight    <- (1 - lr decay) weight - lr 0.2 sqrt(max(m, n)) orthogonalise(direction)

    The factor 0.2 sqrt(max(m, n)) makes a step as long as AdamW's (Liu et al. 2025, "Muon is Scalable
    for LLM Training", equation 4), so both take the same learning rate. A kernel (out, in, h, w) is the
    matrix (out, in h w).
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                momentum = state.setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - group["momentum"])
                # Only a whole matrix has singular values: weights in parts are gathered for it.
                direction = whole(weight.grad.lerp(momentum, group["momentum"])).flatten(1)
                update = like(orthogonalise(direction).view(weight.shape), weight)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * 0.2 * max(direction.shape) ** 0.5)
