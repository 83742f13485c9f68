"""Rule-drawn sprites as a batch."""

import torch

from fogcatcher.data.sprites import draw_many


def sprites(n: int, first: int = 0) -> torch.Tensor:
    drawn = draw_many(n + first)[first:]
    return torch.stack([torch.from_numpy(s.pixels) for s in drawn]).permute(0, 3, 1, 2).contiguous()
