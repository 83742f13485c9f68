"""OKLab: a colour space in which equal distances look about equally different.

A colour is (L, a, b): lightness 0 to 1, green to red, blue to yellow. Equations and constants: Björn
Ottosson 2020, "A perceptual color space for image processing" (https://bottosson.github.io/posts/oklab),
the matrices for sRGB. The transfer function of sRGB: IEC 61966-2-1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Colours = Float[Tensor, "*S 3"]

# linear sRGB -> the answers of the eye's long, medium and short cones: his M1 times the matrix of sRGB
LMS_FROM_LINEAR = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=torch.float64,
)
# cube roots of these answers -> (L, a, b): his M2
LAB_FROM_ROOTS = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=torch.float64,
)
LINEAR_FROM_LMS = torch.linalg.inv(LMS_FROM_LINEAR)
ROOTS_FROM_LAB = torch.linalg.inv(LAB_FROM_ROOTS)

DARKEST_CURVED_SRGB = 0.04045
DARKEST_CURVED_LINEAR = 0.0031308


def oklab_from_srgb(srgb: Colours) -> Colours:
    """Return (..., 3) sRGB in [0, 1] as OKLab: L in [0, 1], a and b about -0.32 to 0.28."""
    return oklab_from_linear(linear_from_srgb(srgb))


def srgb_from_oklab(oklab: Colours) -> Colours:
    """Return (..., 3) OKLab as sRGB; outside [0, 1] where a screen cannot show the colour."""
    return srgb_from_linear(linear_from_oklab(oklab))


def oklab_from_linear(linear: Colours) -> Colours:
    """Return (..., 3) linear sRGB (amounts of light) as OKLab."""
    lms = linear @ LMS_FROM_LINEAR.T.to(linear)
    # The slope of a cube root at 0 is infinite. The floor makes it 0 there, and changes no value that shows.
    roots = lms.sign() * lms.abs().clamp_min(torch.finfo(lms.dtype).tiny).pow(1 / 3)
    return roots @ LAB_FROM_ROOTS.T.to(linear)


def linear_from_oklab(oklab: Colours) -> Colours:
    """Return (..., 3) OKLab as linear sRGB, the inverse of ``oklab_from_linear``."""
    roots = oklab @ ROOTS_FROM_LAB.T.to(oklab)
    return roots.pow(3) @ LINEAR_FROM_LMS.T.to(oklab)


def linear_from_srgb(srgb: Colours) -> Colours:
    """Return (..., 3) sRGB in [0, 1] as amounts of light in [0, 1]."""
    curved = ((srgb.clamp_min(DARKEST_CURVED_SRGB) + 0.055) / 1.055).pow(2.4)
    return torch.where(srgb <= DARKEST_CURVED_SRGB, srgb / 12.92, curved)


def srgb_from_linear(linear: Colours) -> Colours:
    """Return (..., 3) amounts of light as sRGB; negative amounts stay negative."""
    curved = 1.055 * linear.clamp_min(DARKEST_CURVED_LINEAR).pow(1 / 2.4) - 0.055
    return torch.where(linear <= DARKEST_CURVED_LINEAR, 12.92 * linear, curved)
