"""The rule-drawn sprites: names, repeatability and the rules of the drawing style."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fogcatcher.data import sprites
from fogcatcher.data.sprites.palettes import MAIN

PAIRS = [(kind, item) for kind in sprites.KINDS for item in sprites.ITEMS[kind]]


@pytest.fixture(scope="module")
def thousand() -> list[sprites.Sprite]:
    return sprites.draw_many(1000, seed=7)


def _rim(opaque: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Opaque cells beside a clear one or at the picture's edge, (16, 16)."""
    padded = np.pad(opaque, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return opaque & ~inner


def _luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return pixels[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def _pieces(opaque: NDArray[np.bool_]) -> list[int]:
    """Sizes of the 8-connected pieces, largest first."""
    left = {(int(y), int(x)) for y, x in np.argwhere(opaque)}
    sizes = []
    while left:
        queue, size = [left.pop()], 0
        while queue:
            y, x = queue.pop()
            size += 1
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            queue.extend(near)
        sizes.append(size)
    return sorted(sizes, reverse=True)


def test_five_kinds_of_at_least_eight_items() -> None:
    assert sprites.KINDS == ("hero", "creature", "food", "spell", "side")
    assert tuple(sprites.ITEMS) == sprites.KINDS
    assert all(len(set(items)) == len(items) >= 12 for items in sprites.ITEMS.values())
    assert set(sprites.PALETTES) == set(MAIN)


def test_the_same_arguments_give_the_same_pixels() -> None:
    for kind, item in PAIRS:
        first, again = (sprites.draw(11, kind, item, "teal") for _ in range(2))
        np.testing.assert_array_equal(first.pixels, again.pixels)


def test_a_sprite_is_drawn_again_from_its_own_fields(thousand: list[sprites.Sprite]) -> None:
    for sprite in thousand[:50]:
        again = sprites.draw(sprite.seed, sprite.kind, sprite.item, sprite.palette)
        np.testing.assert_array_equal(sprite.pixels, again.pixels)
    free = sprites.draw(123)
    named = sprites.draw(123, free.kind, free.item, free.palette)
    np.testing.assert_array_equal(free.pixels, named.pixels)


def test_draw_many_is_balanced_and_independent_of_its_length() -> None:
    short, long = sprites.draw_many(10, seed=3), sprites.draw_many(25, seed=3)
    assert [s.kind for s in long] == list(sprites.KINDS) * 5
    for a, b in zip(short, long, strict=False):
        np.testing.assert_array_equal(a.pixels, b.pixels)
    assert sprites.draw_many(0) == []
    assert long[0].seed != sprites.draw_many(1, seed=4)[0].seed


@pytest.mark.parametrize("palette", [None, "purple"])
@pytest.mark.parametrize(("kind", "item"), PAIRS)
def test_every_item_draws_with_hard_alpha(kind: str, item: str, palette: str | None) -> None:
    for seed in range(4):
        sprite = sprites.draw(seed, kind, item, palette)
        assert (sprite.kind, sprite.item, sprite.seed) == (kind, item, seed)
        assert sprite.pixels.shape == (16, 16, 4) and sprite.pixels.dtype == np.uint8
        alpha = sprite.pixels[..., 3]
        assert set(np.unique(alpha)) == {0, 255}
        assert not sprite.pixels[alpha == 0].any()


def test_at_most_sixteen_colours(thousand: list[sprites.Sprite]) -> None:
    for sprite in thousand[:500]:
        opaque = sprite.pixels[sprite.pixels[..., 3] > 0]
        assert 3 <= len(np.unique(opaque, axis=0)) <= 16


def test_almost_all_sprites_differ(thousand: list[sprites.Sprite]) -> None:
    assert len({sprite.pixels.tobytes() for sprite in thousand}) >= 950


@pytest.mark.parametrize(("kind", "item"), PAIRS)
@pytest.mark.slow
def test_an_item_has_many_shapes_of_one_colour(kind: str, item: str) -> None:
    drawn = {sprites.draw(seed, kind, item, "green").pixels.tobytes() for seed in range(40)}
    assert len(drawn) >= 28


def test_the_silhouette_is_one_piece_that_fills_the_cell(thousand: list[sprites.Sprite]) -> None:
    for sprite in thousand[:500]:
        opaque = sprite.pixels[..., 3] > 0
        assert opaque.sum() >= 30
        assert len(_pieces(opaque)) == 1, (sprite.item, sprite.seed)
        ys, xs = opaque.nonzero()
        assert max(np.ptp(ys), np.ptp(xs)) + 1 >= 11, (sprite.item, sprite.seed)


def test_the_outline_is_darker_than_what_it_holds(thousand: list[sprites.Sprite]) -> None:
    for sprite in thousand[:500]:
        opaque = sprite.pixels[..., 3] > 0
        rim, light = _rim(opaque), _luminance(sprite.pixels)
        held = np.median(light[opaque & ~rim])
        assert (light[rim] < held).all(), (sprite.item, sprite.seed)


@pytest.mark.parametrize("palette", ["red", "green", "blue", "purple"])
@pytest.mark.parametrize("item", ["slime", "ghost", "apple", "pear", "book", "snake", "wizard"])
def test_the_asked_palette_is_the_main_one(item: str, palette: str) -> None:
    """Most cells that carry any ramp's own colours carry the asked ramp's."""
    for seed in range(6):
        pixels = sprites.draw(seed, item=item, palette=palette).pixels
        cells = pixels[pixels[..., 3] > 0][:, :3]
        counts = {
            name: sum(int((cells == np.array(tone)).all(1).sum()) for tone in ramp)
            for name, ramp in MAIN.items()
        }
        assert max(counts, key=lambda name: counts[name]) == palette


def test_bad_names_are_refused_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="hero, creature, food, spell, side"):
        sprites.draw(0, kind="vehicle")
    with pytest.raises(ValueError, match="apple, pear"):
        sprites.draw(0, kind="food", item="sword")
    with pytest.raises(ValueError, match="apple, pear"):
        sprites.draw(0, item="anvil")
    with pytest.raises(ValueError, match="red, orange, gold"):
        sprites.draw(0, palette="mauve")
    with pytest.raises(ValueError, match="0 or more"):
        sprites.draw(-1)
