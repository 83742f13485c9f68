"""Signals for the mathematics and back, how they are judged, and how people see them."""

import math

import numpy as np
import torch

from fogcatcher.data.signals.curves import COLOURS, curves
from fogcatcher.data.signals.features import SignalFeatures
from fogcatcher.data.signals.spec import SignalSpec, spec_of


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_the_scale_is_that_of_each_channel():
    x = torch.tensor([[[0.0, 10.0], [5.0, 5.0]], [[5.0, 2.0], [5.0, 5.0]]])
    spec = spec_of(x)
    assert (spec.length, spec.low, spec.high) == (2, (0.0, 5.0), (10.0, 5.0)) and spec.shape == (2, 2)
    samples = spec.to_model(x)
    assert samples[:, 0].tolist() == [[-1, 1], [0, -0.6000000238418579]] and (samples[:, 1] == -1).all()
    assert spec.sigma_data == round(samples.double().std().item(), 4)
    assert torch.allclose(spec.from_model(samples), x, atol=1e-6)


def test_what_no_signal_could_be_is_brought_near():
    plain = spec_of(noise(40, 1, 30))
    assert plain.levels == ()
    found = plain.from_model(torch.full((1, 1, 30), 7.0))
    assert torch.allclose(found, torch.tensor(plain.high))
    bits = spec_of((noise(40, 1, 30) > 0).float())
    assert bits.levels == (0.0, 1.0)
    assert bits.from_model(torch.tensor([[[-0.2, 0.1, 3.0]]])).tolist() == [[[0, 1, 1]]]


def test_a_file_says_what_was_saved(tmp_path):
    x = noise(3, 2, 5)
    spec = spec_of(x)
    spec.save(x[:1], tmp_path / "one.npy")
    spec.save(x, tmp_path / "three.npy")
    assert np.load(tmp_path / "one.npy", allow_pickle=False).shape == (2, 5)
    assert spec.read(tmp_path / "one.npy", 1).equal(x[:1]) and spec.read(tmp_path / "three.npy", 3).equal(x)


def test_features_of_a_wave_are_those_of_the_formula():
    """cos(2 pi f i / L): its lag-1 change is 1 - cos(2 pi f / L) on a ring, its power L / 4 at f alone."""
    length, f = 64, 8
    wave = torch.cos(2 * math.pi * f * torch.arange(length) / length)[None, None].double()
    unit = SignalSpec(length, (-1.0,), (1.0,), (), 0.7)
    found = SignalFeatures(unit)(wave)[0]
    assert found.shape == (32 + 5 + 16,)
    assert torch.allclose(found[:32], wave[0, 0].reshape(32, 2).mean(1))
    changes = [(wave[0, 0, lag:] - wave[0, 0, :-lag]).square().mean() for lag in (1, 2, 4, 8, 16)]
    assert torch.allclose(found[32:37], torch.stack(changes))
    assert abs(found[34] - 4 * math.sin(2 * math.pi * f * 2 / length) ** 2 / 2) < 0.15
    bands = (4 * found[37:]).exp() - 1e-4
    # 33 frequencies in 16 bands of 3, which overlap: frequency 8 lies in the fourth and the fifth.
    expected = torch.zeros(16).double()
    expected[3:5] = length / 4 / 3
    assert torch.allclose(bands, expected, atol=1e-6)


def test_curves_go_where_the_values_are():
    x = torch.stack([torch.full((20,), 1.0), torch.full((20,), -1.0)])[None]
    drawn = curves(x)
    assert drawn.shape == (1, 3, 64, 160)
    for row, colour in ((4, COLOURS[0]), (60, COLOURS[1])):
        assert drawn[0, :, row, 80].tolist() == list(colour)


def test_nonsense_is_any_row_of_the_kind():
    bits = spec_of((noise(40, 2, 30) > 0).float())
    rows = bits.nonsense(100, torch.Generator().manual_seed(0))
    assert rows.shape == (100, 2, 30) and abs(rows.mean() - 0.5) < 0.02
    assert bits.mean(rows).equal(rows.mean(0, keepdim=True))
