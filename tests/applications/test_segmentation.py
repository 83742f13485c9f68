"""Features of every network stand where the picture has them; the classifier of pixels; masks on disk."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fogcatcher.applications import segmentation as feature_segmentation
from fogcatcher.applications.segmentation import STAGES, Features, checked, decoder_stages, learn, mean_iou
from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import Category, ConditionSpec
from fogcatcher.data.for_model import with_channels
from fogcatcher.data.masks import paint, read_labelled
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.choose_network import IMPORTED, NETWORKS
from fogcatcher.model.config import DataConfig, NetworkConfig, RunConfig
from fogcatcher.model.model import Model
from fogcatcher.model.presets import PRESETS
from fogcatcher.training.fit import Plan

KINDS = ConditionSpec((Category("kind", ("a", "b")),))


def untrained(network: str, height: int, width: int) -> Model:
    config = RunConfig(
        kind=PictureSpec(height, width, 3, False, 0.5),
        method=PRESETS["default"],
        network=NetworkConfig(
            name=network, width=NETWORKS[network].multiple * (2 if network == "small" else 1)
        ),
        training=Plan(steps=1),
        data=DataConfig("", (), 0, ""),
    )
    if network == "small":
        config = replace(config, network=replace(config.network, patch=2))
    return Model(build_denoiser(config, KINDS), config, KINDS)


SIZES = [(name, 16, 16) for name in NETWORKS if name != IMPORTED]
SIZES += [("small", 10, 14), ("edm2", 10, 14), ("transformer", 11, 14)]


@pytest.mark.parametrize(("network", "height", "width"), SIZES)
def test_features_stand_where_the_picture_has_them(network: str, height: int, width: int):
    """A block of pixels is changed; what changes most in the features is around it, whatever the network."""
    features = Features(untrained(network, height, width))
    assert 1 <= len(features.stages) <= STAGES
    grey = torch.full((1, 3, height, width), 128, dtype=torch.uint8)
    spotted = grey.clone()
    spotted[..., 2:4, width - 5 : width - 3] = 255
    all_of_them = heat(features, grey, spotted)
    assert all_of_them.shape == (height, width)
    quarter = all_of_them[: height // 2, width // 2 :].mean()
    assert quarter > 1.1 * all_of_them.mean()
    # The coarse stages of a decoder know no place better than their positions; the last one does.
    features.stages = features.stages[-1:]
    y, x = divmod(int(heat(features, grey, spotted).argmax()), width)
    assert abs(y - 2.5) <= 3 and abs(x - (width - 4.5)) <= 3


def heat(features: Features, before: Tensor, after: Tensor) -> Tensor:
    """How much the features change at each pixel, (H, W); those that hardly change do not count."""
    change = (features(after) - features(before)).abs()[0]
    loud = change[change.amax((1, 2)) > 1e-3 * change.max()]
    return (loud / loud.amax((1, 2), keepdim=True)).mean(0)


def test_a_decoder_is_its_later_half_of_blocks_or_all_that_is_called_up():
    class Blocks(nn.Module):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(nn.Identity() for _ in range(count))

    twelve = Blocks(12)
    assert decoder_stages(twelve) == [twelve.blocks[i] for i in (7, 8, 9, 10, 11)]
    with pytest.raises(ValueError, match="no decoder"):
        decoder_stages(nn.Linear(1, 1))


class Known(Features):
    """Features that are given: the red and the blue of the pixel, the latter of no use."""

    def __init__(self) -> None:
        pass

    def __call__(self, pictures: Tensor) -> Tensor:
        return 100 + pictures[:, ::2].float()


def picture_and_masks(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Three classes: red up to 80, up to 160, above; nothing near the borders."""
    generator = torch.Generator().manual_seed(seed)
    masks = torch.randint(3, (count, 8, 8), generator=generator)
    pictures = torch.randint(256, (count, 3, 8, 8), generator=generator)
    pictures[:, 0] = 80 * masks + torch.randint(20, 60, masks.shape, generator=generator)
    return pictures.byte(), masks


def test_what_the_features_hold_is_learnt_and_repeats(monkeypatch):
    monkeypatch.setattr(feature_segmentation, "MEMBERS", 2)
    monkeypatch.setattr(feature_segmentation, "STEPS", 150)
    (pictures, masks), (new, truth) = picture_and_masks(6, 0), picture_and_masks(4, 1)
    segmenter = learn(Known(), pictures, masks)
    assert mean_iou(segmenter(new), truth) > 0.97
    assert torch.equal(learn(Known(), pictures, masks)(new), segmenter(new))
    assert checked(Known(), pictures, masks) > 0.95
    # Masks that have nothing to do with the pictures cannot be learnt: chance is 1/5 for three classes.
    assert checked(Known(), pictures, masks[:, :, torch.randperm(8)].flip(0)) < 0.35


def test_mean_iou_by_hand():
    truth = torch.tensor([[[0, 0], [1, 2]]])
    answer = torch.tensor([[[0, 1], [1, 1]]])
    # Class 0: 1 of 2; class 1: 1 of 3; class 2: 0 of 1.
    assert mean_iou(answer, truth) == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    assert mean_iou(truth, truth) == 1


def save(folder: Path, name: str, colours: list[tuple[int, int, int]], size: int = 8) -> None:
    """A picture of stripes in the colours."""
    image = Image.new("RGB", (size, size))
    for x in range(size):
        image.paste(colours[x * len(colours) // size], (x, 0, x + 1, size))
    folder.mkdir(exist_ok=True)
    image.save(folder / name)


def test_labelled_pictures_are_read_and_painted_again(tmp_path):
    red, blue, green = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    save(tmp_path, "a.png", [(9, 9, 9)])
    save(tmp_path, "a.mask.png", [red, blue])
    save(tmp_path, "b.jpg", [(200, 200, 200)])
    save(tmp_path, "b.mask.png", [green, red])
    save(tmp_path, "alone.png", [(1, 1, 1)])
    known = read_labelled(tmp_path, PictureSpec(8, 8, 1, False, 0.5))
    assert known.colours == ((0, 0, 255, 255), (0, 255, 0, 255), (255, 0, 0, 255))
    assert known.masks[:, 0].tolist() == [[2] * 4 + [0] * 4, [1] * 4 + [2] * 4]
    assert known.pictures[:, 0, 0, 0].tolist() == [9, 200]
    assert paint(known.masks[0], known.colours)[:, 0, 0].tolist() == [255, 0, 0, 255]


def test_what_is_wrong_with_labelled_pictures_is_said(tmp_path):
    spec = PictureSpec(8, 8, 3, False, 0.5)
    cases = ["missing", "none", "lonely", "large", "plain"]
    (tmp_path / "none").mkdir()
    save(tmp_path / "lonely", "a.mask.png", [(0, 0, 0), (9, 9, 9)])
    save(tmp_path / "large", "a.mask.png", [(0, 0, 0), (9, 9, 9)], 16)
    save(tmp_path / "large", "a.png", [(0, 0, 0)], 16)
    save(tmp_path / "plain", "a.mask.png", [(0, 0, 0)])
    save(tmp_path / "plain", "a.png", [(0, 0, 0)])
    said = [
        "no folder",
        "has no masks",
        r"put a\.png beside it",
        "16x16, and the model's .* 8x8",
        "1 colours",
    ]
    for case, sentence in zip(cases, said, strict=True):
        with pytest.raises(UserError, match=sentence):
            read_labelled(tmp_path / case, spec)


def test_channels_come_and_go():
    rgba = torch.tensor([[200, 100, 50, 7]], dtype=torch.uint8)[..., None, None]
    grey = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    wanted = {1: [grey], 2: [grey, 7], 3: [200, 100, 50], 4: [200, 100, 50, 7]}
    for channels, values in wanted.items():
        assert with_channels(rgba, channels).flatten().tolist() == values
    only = rgba[:, :1]
    wanted = {1: [200], 2: [200, 255], 3: [200] * 3, 4: [200, 200, 200, 255]}
    for channels, values in wanted.items():
        assert with_channels(only, channels).flatten().tolist() == values
