"""Duplicates and mirror images: planted ones are found, exactly those, and at the distance they must have."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from fogcatcher.data.pictures.store import PictureStore
from fogcatcher.data.pictures.twins import (
    CANDIDATES,
    NEAR,
    SAFE,
    SHIFTS,
    exact_duplicates,
    looks,
    mirror_scores,
    near_duplicates,
)
from fogcatcher.data.sprites import draw_many


def noise(n: int, channels: int = 4, size: tuple[int, int] = (16, 16), seed: int = 0) -> torch.Tensor:
    """(N, C, H, W) uint8: nothing is alike."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (n, channels, *size), dtype=np.uint8)
    if channels in (2, 4):
        pictures[:, -1] = 255 * rng.integers(0, 2, (n, *size))
        pictures[:, :-1] *= pictures[:, -1:] > 0
    return torch.from_numpy(pictures)


def wedges(n: int, seed: int = 0) -> torch.Tensor:
    """(N, 4, 16, 16): triangles of many colours and sizes in the upper left corner, all pointing right."""
    rng = np.random.default_rng(seed)
    pictures = np.zeros((n, 4, 16, 16), np.uint8)
    for picture in pictures:
        top, length = rng.integers(0, 3), rng.integers(5, 9)
        for x in range(length):
            half = 7 - top - x * (7 - top) // length
            picture[:3, top : top + half, x] = (
                rng.integers(40, 256, 3)[:, None] if x == 0 else picture[:3, top, :1]
            )
            picture[3, top : top + half, x] = 255
    return torch.from_numpy(pictures)


# --- what pictures look like --------------------------------------------------------------------


def one_colour(*values: int) -> torch.Tensor:
    return looks(torch.tensor(values, dtype=torch.uint8)[None, :, None, None].expand(1, -1, 4, 4))


@pytest.mark.parametrize(
    "one, other, squared",
    [
        ((0, 0, 0, 255), (255, 255, 255, 255), 1),
        ((0, 0, 0, 255), (0, 0, 0, 0), 1),
        ((255, 255, 255, 255), (0, 0, 0, 0), 2),
        ((255, 0, 0, 255), (0, 255, 0, 255), 2 / 3),
        ((0,), (255,), 1),
        ((0, 255), (0, 0), 1),
        ((0, 0, 0), (0, 0, 255), 1 / 3),
    ],
)
def test_the_distance_of_a_pixel(one, other, squared):
    found = (one_colour(*one) - one_colour(*other)).square().sum(dim=1)
    torch.testing.assert_close(found, torch.full((1, 4, 4), float(squared)))


def test_half_transparent_white_is_half_of_white_and_of_opaque():
    found = one_colour(255, 255, 255, 51)[0, :, 0, 0]
    torch.testing.assert_close(found, torch.tensor([0.2, 0, 0, 0, 0.2]), atol=1e-6, rtol=0)


def test_the_colour_of_single_pixels_hardly_counts_but_their_lightness_does():
    """Red and cyan in turn are grey in blocks, of the lightnesses 1/3 and 2/3."""
    red = torch.tensor([[1, 0], [0, 1]]).repeat(4, 4)
    picture = torch.stack([red, 1 - red, 1 - red])[None].to(torch.uint8) * 255
    seen = looks(picture)[0]
    torch.testing.assert_close(seen[1:4], torch.full((3, 8, 8), 0.5 / 3**0.5 - 0.5 / 3**0.5))
    torch.testing.assert_close(seen[0], torch.where(red == 1, 1 / 3, 2 / 3))


# --- the same -----------------------------------------------------------------------------------


def test_groups_of_the_same_pixels():
    pictures = noise(9)
    pictures[[4, 8]] = pictures[1].clone()
    pictures[7] = pictures[0]
    assert exact_duplicates(pictures) == [[0, 7], [1, 4, 8]]
    assert exact_duplicates(noise(9)) == []


# --- nearly the same ----------------------------------------------------------------------------


def test_planted_twins_are_found_and_nothing_else():
    """Among 200 sprites no two of which look alike: one recoloured in two pixels, one copied, one moved."""
    drawn = np.stack([sprite.pixels for sprite in draw_many(300, seed=5)]).transpose(0, 3, 1, 2)
    pictures = torch.nn.functional.pad(torch.from_numpy(drawn), (1, 1, 1, 1))
    alike = {number for i, j, _ in near_duplicates(pictures) for number in (i, j)}
    pictures = pictures[[i for i in range(300) if i not in alike][:200]]
    assert len(pictures) == 200 and near_duplicates(pictures) == []
    recoloured, copied = pictures[30].clone(), pictures[77]
    shown = recoloured[3].nonzero()[:2]
    recoloured[:3, shown[:, 0], shown[:, 1]] = 128
    moved = pictures[150].roll(-1, dims=-1)
    found = near_duplicates(torch.cat([pictures, torch.stack([recoloured, copied, moved])]))
    assert [(i, j) for i, j, _ in found] == [(150, 202), (30, 200)]
    assert found[0][2] == pytest.approx(0, abs=1e-6) and 0 < found[1][2] < NEAR


def test_the_distance_of_one_pixel_in_a_chessboard():
    """Contrasts: 64 / 4 = 16, and 64 (33 / 64) (31 / 64) = 15.984 with one black square painted white."""
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    other = board.clone()
    other[0, 0] = 1
    pictures = torch.stack([board, other])[:, None].to(torch.uint8) * 255
    [(i, j, distance)] = near_duplicates(pictures, threshold=0.3)
    assert (i, j) == (0, 1)
    assert distance == pytest.approx((1 / ((16 + 33 * 31 / 64) / 2)) ** 0.5, rel=1e-5)
    assert near_duplicates(pictures, threshold=0.25) == []


@pytest.mark.parametrize("shift", [(0, 1), (0, -1), (1, 0), (-1, 0)])
def test_moved_by_a_pixel_in_any_direction(shift):
    """Odd sizes, with an empty border, and at the end of a larger set."""
    pictures = torch.nn.functional.pad(noise(40, size=(11, 17)), (2, 2, 2, 2))
    pictures = torch.cat([pictures, pictures[13:14].roll(shift, dims=(-2, -1))])
    [(i, j, distance)] = near_duplicates(pictures)
    assert (i, j) == (13, 40) and distance < 1e-5


def test_pictures_of_one_colour_are_twins_only_when_equal():
    flat = torch.tensor([100, 101, 100], dtype=torch.uint8)[:, None, None, None].expand(3, 3, 16, 16)
    assert near_duplicates(flat) == [] and exact_duplicates(flat) == [[0, 2]]


def test_where_all_are_alike_each_picture_is_in_a_pair_and_pairs_stay_few():
    pictures = noise(1).repeat(60, 1, 1, 1)
    for number, picture in enumerate(pictures):
        picture[0, number // 16, number % 16] ^= 128
    found = near_duplicates(pictures)
    assert {number for i, j, _ in found for number in (i, j)} == set(range(60))
    assert len(found) <= 60 * CANDIDATES * len(SHIFTS)


@pytest.mark.parametrize("pictures", [noise(0), noise(1), noise(1).repeat(5, 1, 1, 1)])
def test_nothing_to_compare(pictures):
    assert near_duplicates(pictures) == [] and mirror_scores(pictures) == {}


def distances_by_hand(pictures: np.ndarray) -> dict[tuple[int, int], float]:
    """The definition, pixel by pixel in float64: the smallest distance over all shifts, either way."""
    seen = [[_seen(_moved(picture, shift)) for shift in SHIFTS] for picture in pictures]
    return {
        (i, j): min(_apart(x, seen[b][0]) for a, b in ((i, j), (j, i)) for x in seen[a])
        for i, j in combinations(range(len(pictures)), 2)
    }


def _moved(picture: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    down, right = shift
    mode = "constant" if len(picture) in (2, 4) else "edge"
    padded = np.pad(picture, ((0, 0), (down, 0), (right, 0)), mode=mode)
    return padded[:, : picture.shape[1], : picture.shape[2]]


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    contrast = np.mean([((x - x.mean(axis=(1, 2), keepdims=True)) ** 2).sum() for x in (one, other)])
    return float((((one - other) ** 2).sum() / contrast) ** 0.5)


def _seen(picture: np.ndarray) -> np.ndarray:
    x = picture / 255
    alpha = x[-1:] if len(x) in (2, 4) else np.ones_like(x[:1])
    colours = (x[:-1] if len(x) in (2, 4) else x) * alpha
    light = colours.mean(axis=0)
    rest = np.zeros_like(colours)
    for row, column in np.ndindex(-(-x.shape[1] // 2), -(-x.shape[2] // 2)):
        block = np.s_[..., 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        rest[block] = (colours - light)[block].mean(axis=(1, 2), keepdims=True)
    return np.concatenate([light[None], rest / len(colours) ** 0.5, alpha])


@settings(max_examples=15, deadline=None)
@given(
    channels=st.integers(1, 4),
    height=st.integers(8, 21),
    width=st.integers(8, 21),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_search_finds_what_the_definition_says(channels, height, width, seed):
    pictures = noise(9, channels, (height, width), seed)
    rng = np.random.default_rng(seed)
    for twin in (6, 7):
        pictures[twin] = pictures[twin - 6]
        changed = torch.from_numpy(rng.random((height, width)) < 0.03)
        pictures[twin, 0, changed] = torch.from_numpy(rng.integers(0, 256, int(changed.sum()), np.uint8))
        pictures[twin, 0, 0, 0] ^= 128
    pictures[8] = pictures[3].roll(1, dims=-1)
    expected = {p: distance for p, distance in distances_by_hand(pictures.numpy()).items() if distance < 0.3}
    found = {(i, j): distance for i, j, distance in near_duplicates(pictures, threshold=0.3)}
    assert found == pytest.approx(expected, abs=1e-4)


def test_pictures_on_disk_give_the_same_as_in_memory(tmp_path):
    pictures = noise(600, size=(8, 8))
    pictures[590], pictures[520] = pictures[3], pictures[7].roll(1, dims=-1)
    (tmp_path / "pictures.bin").write_bytes(pictures.numpy().tobytes())
    stored = PictureStore(tmp_path / "pictures.bin", (600, 4, 8, 8))
    assert exact_duplicates(stored) == exact_duplicates(pictures) == [[3, 590]]
    assert near_duplicates(stored) == near_duplicates(pictures)
    assert mirror_scores(stored, sample=50) == mirror_scores(pictures, sample=50)


# --- mirror images ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (15, 15), (9, 20)])
def test_symmetric_pictures_score_one(size):
    """Their own left half, mirrored; drawings of many lightnesses, so no other symmetry is there."""
    half = wedges(100)[:, :, : size[0], : -(-size[1] // 2)]
    half = torch.nn.functional.pad(half, (0, max(0, -(-size[1] // 2) - half.shape[-1])))
    pictures = torch.cat([half, half.flip(-1)[..., size[1] % 2 :]], dim=-1)
    assert pictures.shape[-2:] == size
    scores = mirror_scores(pictures)
    assert scores["left-right"] == 1.0 and scores["up-down"] == 0.0


def test_pictures_that_face_one_way_score_nothing():
    assert mirror_scores(wedges(300)) == {"left-right": 0.0, "up-down": 0.0, "quarter turn": 0.0}


def test_pictures_that_stand_in_the_set_both_ways_score_one():
    pictures = wedges(300)
    assert mirror_scores(torch.cat([pictures, pictures.flip(-2)]))["up-down"] == 1.0
    assert mirror_scores(torch.cat([pictures.rot90(k, (-2, -1)) for k in range(4)]))["quarter turn"] == 1.0


def test_a_coin_for_each_picture_makes_flips_safe():
    pictures = wedges(600)
    tossed = torch.from_numpy(np.random.default_rng(0).integers(0, 2, 600) == 1)
    pictures[tossed] = pictures[tossed].flip(-1)
    scores = mirror_scores(pictures)
    assert scores["left-right"] >= SAFE and scores["up-down"] == 0.0


def test_letters_may_not_be_flipped():
    """F and L have no symmetry, A and T have one, X and O have two."""
    scores = {letters: mirror_scores(written(letters)) for letters in ("FL", "AT", "XO")}
    assert all(score < 0.1 for score in scores["FL"].values())
    assert scores["AT"]["left-right"] >= SAFE > 0.1 > scores["AT"]["up-down"]
    assert scores["XO"]["left-right"] >= SAFE and scores["XO"]["up-down"] >= SAFE


def written(letters: str) -> torch.Tensor:
    """(N, 1, 32, 32): the letters in a few sizes and greys, centred, a pixel this way or that."""
    pictures = []
    for letter in letters:
        for size in (20, 21, 22, 23):
            for dx, dy in np.ndindex(3, 3):
                image = Image.new("L", (32, 32))
                at, font = (15 + dx, 15 + dy), ImageFont.load_default(size)
                ImageDraw.Draw(image).text(at, letter, 140 + 5 * size, font, anchor="mm")
                pictures.append(np.asarray(image))
    return torch.from_numpy(np.stack(pictures))[:, None]


def test_quarter_turns_need_square_pictures():
    assert list(mirror_scores(noise(5, size=(8, 9)))) == ["left-right", "up-down"]


def test_copies_of_a_picture_are_not_its_nearest_others():
    """Each picture twice: the nearest other one would be at 0, and no mirror image as near as that."""
    pictures = noise(40)
    assert mirror_scores(torch.cat([pictures, pictures])) == mirror_scores(pictures)
