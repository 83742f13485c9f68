"""OKLab against the published reference values, and back again."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fogcatcher.base.oklab import linear_from_srgb, oklab_from_linear, oklab_from_srgb, srgb_from_oklab

# IEC 61966-2-1: XYZ (D65) -> linear sRGB
LINEAR_FROM_XYZ = torch.tensor(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ],
    dtype=torch.float64,
)


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    "xyz, oklab",
    [
        ((0.950, 1.000, 1.089), (1.000, 0.000, 0.000)),
        ((1.000, 0.000, 0.000), (0.450, 1.236, -0.019)),
        ((0.000, 1.000, 0.000), (0.922, -0.671, 0.263)),
        ((0.000, 0.000, 1.000), (0.153, -1.415, -0.449)),
    ],
)
def test_the_table_of_the_paper(xyz, oklab):
    """Three of its four colours lie far outside sRGB, so negative amounts of light are tried as well."""
    found = oklab_from_linear(LINEAR_FROM_XYZ @ double(*xyz))
    torch.testing.assert_close(found, double(*oklab), rtol=0, atol=6e-4)


@pytest.mark.parametrize(
    "srgb, oklab",
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.6279554, 0.2248631, 0.1258463)),
        ((0.0, 1.0, 0.0), (0.8664396, -0.2338874, 0.1794985)),
        ((0.0, 0.0, 1.0), (0.4520137, -0.0324570, -0.3115281)),
    ],
)
def test_the_corners_of_srgb(srgb, oklab):
    torch.testing.assert_close(oklab_from_srgb(double(*srgb)), double(*oklab), rtol=0, atol=2e-7)
    # Seven digits in OKLab are five in a dark channel of sRGB, where the curve is steep.
    torch.testing.assert_close(srgb_from_oklab(double(*oklab)), double(*srgb), rtol=0, atol=2e-5)


def test_the_transfer_function_on_both_sides_of_its_bend():
    """Middle grey 0.5 is ((0.5 + 0.055) / 1.055)^2.4 = 0.21404114; 0.02 lies on the straight part."""
    found = linear_from_srgb(double(0.5, 0.02, 1.0))
    torch.testing.assert_close(found, double(0.21404114, 0.02 / 12.92, 1.0), rtol=0, atol=1e-8)


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_there_and_back(srgb):
    torch.testing.assert_close(
        srgb_from_oklab(oklab_from_srgb(double(*srgb))), double(*srgb), rtol=0, atol=1e-6
    )


def test_every_kind_of_byte_comes_back_in_single_precision():
    levels = torch.tensor([*range(0, 256, 15)])
    colours = torch.cartesian_prod(levels, levels, levels)
    back = srgb_from_oklab(oklab_from_srgb(colours.float() / 255))
    assert back.dtype == torch.float32
    assert torch.equal((back * 255).round().long(), colours)


def test_greys_have_no_colour_and_the_shape_stays():
    greys = torch.linspace(0, 1, 12, dtype=torch.float64).reshape(3, 4, 1).expand(3, 4, 3)
    oklab = oklab_from_srgb(greys)
    assert oklab.shape == (3, 4, 3)
    assert oklab[..., 1:].abs().max() < 1e-7
    assert (oklab[..., 0].flatten().diff() > 0).all()


def test_slopes_are_finite_also_at_black():
    colours = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.2, 0.6, 0.4]], requires_grad=True)
    oklab_from_srgb(colours).square().sum().backward()
    assert colours.grad is not None and torch.isfinite(colours.grad).all()
