"""Pictures as text: a half block shows two pixels."""

import torch

from fogcatcher.cli.terminal import as_text
from fogcatcher.data.pictures.sheets import PAPER


def test_a_character_is_two_pixels():
    pictures = torch.zeros(2, 4, 3, 1, dtype=torch.uint8)
    pictures[0, :, 0, 0] = torch.tensor([255, 0, 0, 255])
    pictures[0, :, 1, 0] = torch.tensor([0, 0, 255, 255])
    paper = ";".join(map(str, PAPER[:3]))
    first, second = as_text(pictures).split("\n")
    assert first == f"\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[38;2;{paper};48;2;{paper}m▀\x1b[0m"
    assert second.count("▀") == 2 and second.count(paper) == 4
