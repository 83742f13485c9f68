"""New colours: shape, light and regions are those of the picture, whatever the denoiser says."""

import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.base.oklab import oklab_from_srgb
from fogcatcher.diffusion.edits.recoloring import Recolor
from tests.edit_models import small_model


def flag() -> torch.Tensor:
    """Three regions in two dull colours and nothing, (1, 4, 12, 10); the second colour stands twice."""
    picture = torch.zeros(1, 4, 12, 10, dtype=torch.uint8)
    for rows, colour in ((slice(2, 4), (120, 110, 100)), (slice(4, 8), (90, 96, 92))):
        picture[0, :, rows] = torch.tensor([*colour, 255], dtype=torch.uint8)[:, None, None]
    picture[0, :, 10:] = picture[0, :, 5:7]
    return picture


def test_light_shape_and_regions_stay_and_hues_do_not():
    model, picture = small_model(), flag()
    drawn = model.sample(3, {"kind": "food"}, steps=4, edit=Recolor(picture)).pictures
    assert drawn[:, 3].equal(picture[:, 3].expand(3, -1, -1))
    opaque = picture[0, 3] > 0
    colours = drawn.permute(0, 2, 3, 1)[:, opaque][..., :3]
    before = picture[0].permute(1, 2, 0)[opaque][:, :3].expand_as(colours)
    light, light_before = (oklab_from_srgb(c.double() / 255)[..., 0] for c in (colours, before))
    assert (light - light_before).abs().max() < 0.06  # but for what a screen cannot show
    for one in drawn:
        for rows in (slice(2, 4), slice(4, 8)):
            assert len(one[:3, rows].flatten(1).unique(dim=1).T) == 1
        assert one[:, 10:].equal(one[:, 5:7])
    assert not colours[0].equal(colours[1]) and not colours[0].equal(before[0])


def test_grey_pictures_have_no_colours():
    picture = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    with pytest.raises(UserError, match="draws grey pictures and has no colours to give"):
        small_model(1, (16, 16)).sample(1, steps=1, edit=Recolor(picture))
