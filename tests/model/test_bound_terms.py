"""The terms of the bound: what is kept of a model whose bound is computed by its own definition."""

import json
import math

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.diffusion.bound import Bound
from fogcatcher.explain.bound_curve import EVALUATION, bound_curve
from fogcatcher.judging.bits import bits_of
from fogcatcher.model.bound_terms import FILE, read_terms, terms_of, write_terms
from fogcatcher.model.build import build_grid
from fogcatcher.model.model import Model
from tests.exact_models import gaussian_model

PICTURES = torch.randint(60, 200, (70, 3, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
COND = {"kind": torch.tensor([[1.0, 0.0]]).repeat(70, 1)}


def test_terms_are_the_means_of_the_bound_and_add_up_to_it():
    model = gaussian_model()
    found = bits_of(model, PICTURES, COND, steps=12)
    terms = found.terms
    assert terms.bits == pytest.approx(found.bound, rel=1e-6) and terms.flow == found.flow
    assert (terms.pictures, len(terms.steps), len(terms.times)) == (70, 12, 13)
    times = build_grid(model.config.method.grid, model.config.method)(model.denoiser.process.schedule, 12)
    assert list(terms.times) == times.tolist()
    # L_T is no draw: (alpha x0 / sigma)^2 / 2 nats with alpha = 1 and sigma = 80.
    prior = (to_model(PICTURES) / 80).square().mean().item() / 2 / math.log(2)
    assert terms.prior == pytest.approx(prior, rel=1e-5)


def test_means_count_every_picture_once():
    """Two batches of unequal size give the means of all of their pictures."""
    one, two = (
        Bound(torch.full((n,), value), torch.full((2, n), value)) for n, value in ((3, 1.0), (1, 5.0))
    )
    terms = terms_of([one, two], [1.0, 0.5, 0.0], "none")
    assert terms.pictures == 4 and terms.prior == pytest.approx(2 / math.log(2))
    assert terms.steps == pytest.approx([2 / math.log(2)] * 2)


def test_what_is_kept_is_read_again_for_the_same_weights_alone(tmp_path):
    terms = bits_of(gaussian_model(), PICTURES, COND, steps=3).terms
    write_terms(terms, tmp_path)
    assert read_terms(tmp_path, "unsaved") == terms
    assert read_terms(tmp_path, "others") is None and read_terms(tmp_path / "none", "unsaved") is None
    said = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(said | {"pictures": 0}))
    with pytest.raises(UserError, match="pictures"):
        read_terms(tmp_path, "unsaved")


def test_the_page_shows_what_was_measured_or_its_own_picture(tmp_path):
    model = gaussian_model()
    alone = bound_curve(model, torch.zeros(1, 3, 4, 4), {"kind": "left"})
    assert not alone.measured and len(alone.terms.steps) == 100 and alone.terms.flow is None
    terms = bits_of(model, PICTURES, COND, steps=3).terms
    write_terms(terms, tmp_path / EVALUATION)
    kept = Model(model.denoiser, model.config, model.conditions, folder=tmp_path)
    shown = bound_curve(kept, torch.zeros(1, 3, 4, 4), {"kind": "left"})
    assert shown.measured and shown.terms == terms
