"""Real pictures, where they are at hand."""

import zipfile
from pathlib import Path

import pytest

from fogcatcher.data.reading import read_dataset

SPRITES = Path(__file__).parent.parent.parent / "shared" / "data" / "dcss.zip"
FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not SPRITES.exists(), reason=f"needs {SPRITES.name}: 4,078 tiles of a CC0 game")
def test_a_real_folder_of_sprites(tmp_path):
    with zipfile.ZipFile(SPRITES) as archive:
        archive.extractall(tmp_path)
    dataset = read_dataset(tmp_path)
    assert dataset.pictures.shape == (4078, 4, 32, 32)
    assert len(set(dataset.labels["category"])) == 8 and not dataset.skipped


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist():
    dataset = read_dataset(FASHION)
    assert dataset.pictures.shape == (60_000, 1, 28, 28)
    labels = dataset.labels["label"]
    assert [labels.count(str(digit)) for digit in range(10)] == [6000] * 10
