"""Muon's direction against the singular value decomposition, and its step against a hand calculation."""

import pytest
import torch
from torch import nn

from fogcatcher.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(32, 32), (16, 96), (96, 16), (64, 64 * 9)], ids=str)
def test_singular_vectors_stay_and_singular_values_become_about_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    seen = u.T @ orthogonalise(matrix) @ vh.T
    values = seen.diagonal()
    torch.testing.assert_close(seen, torch.diag(values), atol=1e-8, rtol=0)
    # Five rounds lift values above 0.01 of the norm; a square matrix has a few smaller ones.
    lifted = s / matrix.norm() > 0.01
    assert values[lifted].min() > 0.6 and values.max() < 1.25


def test_the_polynomial_on_the_gram_matrix_is_the_one_on_the_matrix():
    matrix = torch.randn(24, 80, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = matrix / matrix.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    torch.testing.assert_close(orthogonalise(matrix), x, atol=1e-6, rtol=1e-6)


def test_a_zero_gradient_moves_nothing_but_the_decay():
    weight = nn.Parameter(torch.ones(4, 8))
    weight.grad = torch.zeros(4, 8)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((4, 8), 0.95))


def test_one_step_by_hand():
    """First step of a rank-one gradient: momentum (1 - mu) g; the direction is any multiple of g."""
    weight = nn.Parameter(torch.zeros(4, 9))
    gradient = torch.outer(torch.tensor([1.0, 0, 0, 0]), torch.ones(9))
    weight.grad = gradient
    Muon([weight], lr=0.1).step()
    value = 1.0  # the singular value after five rounds of the quintic from 1
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    expected = -0.1 * 0.2 * 3 * value * gradient / gradient.norm()  # 0.2 sqrt(max(4, 9))
    torch.testing.assert_close(weight.detach(), expected, atol=1e-5, rtol=1e-4)
