"""One picture of a person, brought into the form that a model's pictures have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fogcatcher.data.fitting import Fitting
from fogcatcher.data.picture_files import Unreadable, read_picture
from fogcatcher.data.sheets import MODES
from fogcatcher.data.spec import Pictures, PictureSpec
from fogcatcher.errors import UserError


def read_own_picture(path: Path, spec: PictureSpec) -> Pictures:
    """Return the picture of a file, (1, C, H, W) uint8, with the size and channels of ``spec``.

    It is shrunk and padded as training pictures are; where the model knows no transparency it is put on
    black. Raises UserError when the file is no picture.
    """
    try:
        rgba = read_picture(path)
    except Unreadable as error:
        raise UserError(f"{path} {error}: give --picture a PNG, JPEG or GIF file.") from error
    image = Image.fromarray(Fitting(spec.height, spec.width).fit(rgba)[0])
    if not spec.has_alpha:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    array = np.array(image.convert(MODES[spec.channels])).reshape(spec.height, spec.width, spec.channels)
    picture = torch.from_numpy(array.transpose(2, 0, 1).copy())[None]
    return spec.to_pictures(spec.to_model(picture))
