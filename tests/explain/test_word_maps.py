"""Maps of words: of the right words, on the right places, whether a network has these in rows or not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Text
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.drawing.settings import STEP_BY_STEP
from fogcatcher.explain.explaining import steps
from fogcatcher.explain.files import explain_files
from fogcatcher.explain.shown import Shown
from fogcatcher.explain.word_maps import DARK, lit_by, word_maps
from fogcatcher.explain.words_section import words_section
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import NetworkConfig
from fogcatcher.model.model import Model
from fogcatcher.networks.blocks import CrossAttention
from tests.random_models import config

SPEC = ConditionSpec(
    (Text("first", ("old",)), Category("kind", ("a", "b")), Text("caption", ("red", "dragon", "hat")))
)
WISH = {"first": "old", "caption": "red hat"}
SETTINGS = replace(STEP_BY_STEP, steps=4)


def model(network: str = "small", looks: bool = True) -> Model:
    width = 16 if network == "small" else 64
    chosen = replace(
        config(),
        kind=PictureSpec(12, 16, 3, hard_alpha=False, sigma_data=0.5),
        network=NetworkConfig(network, width, 2, options={"cross_attention": looks}),
    )
    return Model(build_denoiser(chosen, SPEC), chosen, SPEC)


def planted(layer: CrossAttention, x: Tensor, tokens: Tensor, present: Tensor) -> Tensor:
    """Every place looks at no word, but for a column: the left one at "old", the right one at "hat"."""
    places = x.shape[2:] if x.ndim == 4 else (6, 8)
    looks = torch.zeros(len(x), 2, *places, tokens.shape[1])
    looks[..., 0] = 1
    for column, token in ((0, 1), (-1, 34)):  # after no word, the 32 of "first", and "red"
        looks[:, :, :, column, 0], looks[:, :, :, column, token] = 0, 1
    return looks.flatten(2, 3)


@pytest.mark.parametrize("network", ["small", "transformer"])
def test_each_word_has_the_places_that_look_at_it(network: str, monkeypatch):
    monkeypatch.setattr(CrossAttention, "weights", planted)
    one = model(network)
    maps = word_maps(one, steps(one, 0, WISH, SETTINGS), WISH)
    assert maps is not None and maps.words == ["old", "red", "hat"]
    assert maps.each.shape == (3, 4, 12, 16)
    old, red, hat = maps.whole
    assert old.sum().item() == pytest.approx(1) and hat.sum().item() == pytest.approx(1)
    assert not red.any()
    assert old[:, :4].sum() > 0.99 and hat[:, 12:].sum() > 0.99


def test_without_words_or_looks_there_are_no_maps():
    for one, wish in ((model(), {"kind": "a"}), (model(), {}), (model(looks=False), WISH)):
        assert word_maps(one, steps(one, 0, wish, SETTINGS), wish) is None


def test_where_all_places_look_alike_nothing_is_lit():
    one, pictures = model(), torch.rand(4, 3, 12, 16)
    for layer in one.denoiser.modules():
        if isinstance(layer, CrossAttention):
            torch.nn.init.zeros_(layer.q.get_parameter("weight"))
    maps = word_maps(one, steps(one, 0, WISH, SETTINGS), WISH)
    assert maps is not None and maps.each.max() < 1e-6
    lit = lit_by(maps.each[0], pictures)
    torch.testing.assert_close(lit, torch.full_like(lit, DARK), atol=1e-3, rtol=0)
    maps.each[0, :, 3, 5] = 0.25
    assert lit_by(maps.each[0], pictures)[:, :, 3, 5].allclose(pictures[:, :, 3, 5])


def test_the_section_shows_a_row_for_each_word(monkeypatch):
    monkeypatch.setattr(CrossAttention, "weights", planted)
    one = model()
    shown = steps(one, 0, WISH, SETTINGS)
    maps = word_maps(one, shown, WISH)
    assert maps is not None
    said = words_section(replace(maps, words=["old", "red", "</w>"]), shown, Shown(one.config.pictures)).text
    assert all(f'<th scope="row">{word}</th>' in said for word in ("old", "red", "&lt;/w&gt;"))
    assert "old: half of what looks at it stands in" in said and "red: half" not in said


@pytest.mark.slow
def test_words_are_on_the_page_and_a_strip(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(CrossAttention, "weights", planted)
    page = explain_files(model(), "words", tmp_path, condition=WISH, settings=SETTINGS).read_text("utf-8")
    assert "Which places look at which word" in page
    strip = np.asarray(Image.open(tmp_path / "words.png"))
    assert strip.shape[0] > strip.shape[1] // 2
