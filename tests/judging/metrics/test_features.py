"""Feature extractors: one way of seeing, known pixels, steady answers, distances that grow with damage."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.data.sprites import KINDS, PALETTES, draw_many
from fogcatcher.judging.metrics import features
from fogcatcher.judging.metrics.features import Inception, Module, Pixels, builtin
from fogcatcher.judging.metrics.frechet import frechet, gaussian
from fogcatcher.judging.metrics.seeing import see


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(scope="module")
def sprites() -> Tensor:
    return torch.from_numpy(np.stack([s.pixels for s in draw_many(1200, seed=31)])).permute(0, 3, 1, 2)


def padded(pictures: Tensor, left: int, right: int, top: int, bottom: int) -> Tensor:
    return nn.functional.pad(pictures, (left, right, top, bottom))


# --- what is seen


def test_a_constant_colour_is_its_oklab_everywhere():
    red = torch.tensor([200, 30, 60, 255], dtype=torch.uint8)
    expected = oklab_from_srgb(torch.tensor([200, 30, 60]).double() / 255)
    for side in (8, 16, 37, 64):
        found = Pixels(16)(red[None, :, None, None].expand(1, 4, side, side)).reshape(4, 16, 16)
        inside = found[:, 4:12, 4:12]
        torch.testing.assert_close(inside[:3], expected[:, None, None].expand(3, 8, 8), atol=1e-6, rtol=0)
        torch.testing.assert_close(inside[3], torch.ones(8, 8).double(), atol=1e-6, rtol=0)


def test_white_has_lightness_1_and_clear_pixels_are_0_whatever_their_colour():
    white = torch.full((1, 1, 16, 16), 255, dtype=torch.uint8)
    assert Pixels(16)(white)[0, :256].sub(1).abs().max() < 1e-6
    clear = torch.cat([noise(1, 3, 16, 16), torch.zeros(1, 1, 16, 16, dtype=torch.uint8)], 1)
    assert not Pixels(16)(clear).any()
    assert torch.equal(builtin()(clear), builtin()(torch.zeros_like(clear)))


def test_half_alpha_halves_the_colour():
    half = torch.tensor([255, 255, 255, 51], dtype=torch.uint8)[None, :, None, None].expand(1, 4, 8, 8)
    found = Pixels(8)(half).reshape(4, -1)
    torch.testing.assert_close(found[[0, 3]], torch.full((2, 64), 0.2).double(), atol=1e-6, rtol=0)


def test_enlarging_repeats_whole_pixels_in_the_middle():
    seen = see(noise(1, 3, 5, 5), 16)
    small = see(noise(1, 3, 5, 5), 5)
    assert torch.equal(seen[:, :, :15:3, :15:3], small) and torch.equal(seen[:, :, 2:15:3, 2:15:3], small)
    assert not seen[:, :, 15].any() and not seen[:, :, :, 15].any()


def test_shrinking_keeps_every_pixels_share():
    """24 -> 16: the middle of a new pixel's three halves; the mean over all stays."""
    pictures = noise(2, 4, 24, 24)
    seen, full = see(pictures, 16), see(pictures, 24)
    torch.testing.assert_close(seen.mean((2, 3)), full.mean((2, 3)))
    first = (full[:, :, 0, 0] + (full[:, :, 0, 1] + full[:, :, 1, 0]) / 2 + full[:, :, 1, 1] / 4) / 2.25
    torch.testing.assert_close(seen[:, :, 0, 0], first)


@pytest.mark.parametrize("size", [(16, 16), (12, 9), (28, 28), (40, 64)])
def test_the_same_picture_in_every_mode_looks_the_same(size: tuple[int, int]):
    grey = noise(5, 1, *size)
    opaque = torch.full_like(grey, 255)
    modes = [grey, torch.cat([grey, opaque], 1), grey.repeat(1, 3, 1, 1), torch.cat([*[grey] * 3, opaque], 1)]
    for extractor in (Pixels(), builtin()):
        first, *others = [extractor(mode) for mode in modes]
        assert all(torch.equal(first, other) for other in others)


def test_clear_padding_to_the_square_changes_nothing():
    pictures = noise(3, 4, 20, 11)
    for extractor in (Pixels(), builtin()):
        square = extractor(padded(pictures, 4, 5, 0, 0))
        torch.testing.assert_close(extractor(pictures), square, atol=1e-4, rtol=0)
    torch.testing.assert_close(see(pictures, 32), see(padded(pictures, 10, 11, 6, 6), 32))


def test_five_channels_are_refused():
    with pytest.raises(ValueError, match="not 5"):
        see(noise(1, 5, 8, 8), 16)


# --- steady answers


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    pictures = noise(70, 3, 16, 16)
    whole = [Pixels()(pictures), builtin()(pictures)]
    monkeypatch.setattr(features, "PIXELS_AT_ONCE", 7 * 32**2)
    torch.testing.assert_close([Pixels()(pictures), builtin()(pictures)], whole, atol=1e-4, rtol=0)
    assert builtin()(pictures).dtype == torch.float64


def test_a_picture_does_not_depend_on_its_neighbours_and_comes_out_again():
    pictures = noise(20, 4, 16, 16)
    found = builtin()(pictures)
    assert torch.equal(found, builtin()(pictures))
    torch.testing.assert_close(builtin()(pictures[7:8]), found[7:8], atol=1e-4, rtol=0)


def test_hashes_tell_definitions_apart(tmp_path: Path):
    assert Pixels(8).hash != Pixels(16).hash == Pixels(16).hash
    assert all(len(e.hash) == 12 for e in (Pixels(), builtin()))


def test_sprites_are_the_unit_of_the_features(sprites: Tensor):
    found = builtin()(sprites)
    assert found.mean(0).abs().max() < 0.2 and (found.std(0) - 1).abs().max() < 0.2


def test_weights_are_small():
    assert (features.SHIPPED / "model.safetensors").stat().st_size <= 4_000_000


# --- what they are for


@pytest.mark.slow
def test_what_a_sprite_shows_can_be_read_from_the_features():
    """A linear map learnt on 900 sprites names kind and main colour of 300 others."""
    drawn = draw_many(1200, seed=77)
    pictures = torch.from_numpy(np.stack([s.pixels for s in drawn])).permute(0, 3, 1, 2)
    rows = torch.cat([builtin()(pictures), torch.ones(1200, 1).double()], 1)
    for head, names, least in (("kind", KINDS, 0.9), ("palette", PALETTES, 0.7)):
        truth = torch.tensor([names.index(getattr(s, head)) for s in drawn])
        target = nn.functional.one_hot(truth).double()
        weights = torch.linalg.solve(rows[:900].T @ rows[:900] + torch.eye(65), rows[:900].T @ target[:900])
        right = ((rows[900:] @ weights).argmax(1) == truth[900:]).double().mean().item()
        assert right >= least, (head, right)


def noisy(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    shaken = (x[:, :3] + 60 * u * torch.randn(x[:, :3].shape, generator=g)).clamp(0, 255).byte()
    return torch.cat([shaken, x[:, 3:]], 1)


def turned_to_green(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    moved = x[:, :3] + u * torch.tensor([-60.0, 60.0, -30.0])[:, None, None]
    return torch.cat([moved.clamp(0, 255).byte(), x[:, 3:]], 1)


def with_holes(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    return x * (torch.rand(len(x), 1, 16, 16, generator=g) > u / 3)


def without_kinds(x: Tensor, u: float, g: torch.Generator) -> Tensor:
    """Kinds come in turn: 0, 1, 2 or 3 of 5 are replaced by those that are left."""
    left = [i for i in range(len(x)) if i % 5 >= round(3 * u)]
    return x[torch.tensor(left)[torch.arange(len(x)) % len(left)]]


@pytest.mark.parametrize("damage", [noisy, turned_to_green, with_holes, without_kinds])
@pytest.mark.slow
def test_the_distance_grows_with_damage(sprites: Tensor, damage):
    reference = gaussian(builtin()(sprites[:600]))
    found = []
    for u in (0.0, 1 / 3, 2 / 3, 1.0):
        hurt = damage(sprites[600:], u, torch.Generator().manual_seed(3))
        found.append(frechet(reference, gaussian(builtin()(hurt))))
    assert found == sorted(found) and found[-1] > 2 * found[0]


# --- networks of one's own


class Means(nn.Module):
    """The mean of every channel, and the share of the left half."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3)), x[..., : x.shape[-1] // 2].mean((2, 3))], 1)


def exported(path: Path, network: nn.Module, channels: int = 3, size: int = 16, free: bool = True) -> Path:
    shape = {0: torch.export.Dim("n")} if free else None
    with torch.no_grad():
        program = torch.export.export(
            network, (torch.zeros(3, channels, size, size),), dynamic_shapes=(shape,)
        )
    torch.export.save(program, path)
    return path


@pytest.mark.parametrize("free", [True, False])
def test_a_program_sees_srgb_over_black(tmp_path: Path, free: bool):
    extractor = Module(exported(tmp_path / "means.pt2", Means(), free=free))
    pictures = torch.zeros(100, 4, 16, 16, dtype=torch.uint8)
    pictures[:, :, :, :8] = torch.tensor([51, 102, 204, 255], dtype=torch.uint8)[:, None, None]
    expected = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.4, 0.8]).double().expand(100, 6)
    torch.testing.assert_close(extractor(pictures), expected, atol=1e-5, rtol=0)
    assert extractor.name == "means.pt2" and extractor.size == 16


def test_a_program_with_four_channels_sees_alpha(tmp_path: Path):
    extractor = Module(exported(tmp_path / "means.pt2", Means(), channels=4))
    assert extractor(noise(2, 3, 16, 16))[:, 3].tolist() == pytest.approx([1.0, 1.0])


def test_inception_must_be_2048_wide(tmp_path: Path):
    with pytest.raises(UserError, match="returns 6 features"):
        Inception(exported(tmp_path / "means.pt2", Means()))(noise(2, 3, 16, 16))


def test_a_program_of_another_shape_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="must take one tensor"):
        Module(exported(tmp_path / "means.pt2", Means(), channels=5))


def changed(path: Path, name: str, old: bytes, new: bytes) -> Path:
    """Return a copy of an archive in which ``old`` is ``new`` in the member that ends with ``name``."""
    copy = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            if member.endswith(name):
                assert old in content
                content = content.replace(old, new)
            target.writestr(member, content)
    return copy


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("weights_config.json", b'"use_pickle": false', b'"use_pickle": true', "pickled"),
        ("weights_config.json", b'"weight_0"', b'"custom_obj_0"', "not a tensor"),
        ("model.json", b"torch.ops.aten.relu.default", b"torch.load", "calls torch.load"),
        ("model.json", b"torch.ops.aten.relu.default", b"torch.ops.aten.from_file.default", "from_file"),
        ("model.json", b"positive=True", b"print()", "a size is"),
        ("model.json", b"positive=True", b"x=__import__", "a size is"),
        ("model.json", b"builtins.tuple", b"default_factory_module", "imports"),
    ],
)
def test_a_program_that_asks_for_more_than_arithmetic_is_refused(
    tmp_path: Path, name: str, old: bytes, new: bytes, said: str
):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten())
    path = exported(tmp_path / "network.pt2", network)
    Module(path)
    with pytest.raises(UserError, match=said):
        Module(changed(path, name, old, new))


def test_examples_in_a_program_are_never_unpickled(tmp_path: Path):
    path = changed(exported(tmp_path / "means.pt2", Means()), "sample_inputs/model.pt", b"PK", b"no")
    assert Module(path)(noise(2, 3, 16, 16)).shape == (2, 6)


@pytest.mark.parametrize("content", [b"", b"no zip", "a zip of something else"])
def test_files_that_are_no_programs_are_refused(tmp_path: Path, content: bytes | str):
    path = tmp_path / "network.pt2"
    if isinstance(content, str):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("model/data.pkl", b"cos\nsystem\n(S'true'\ntR.")
        content = buffer.getvalue()
    path.write_bytes(content)
    with pytest.raises(UserError, match="no program to run here"):
        Module(path)
