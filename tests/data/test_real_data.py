"""Real pictures, where they are at hand."""

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset
from fogcatcher.data.splitting import split

SPRITES = Path(__file__).parents[3] / "shared" / "data" / "dcss.zip"
FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not SPRITES.exists(), reason=f"needs {SPRITES.name}: 4,078 tiles of a CC0 game")
@pytest.mark.slow
def test_a_real_folder_of_sprites(tmp_path):
    with zipfile.ZipFile(SPRITES) as archive:
        archive.extractall(tmp_path)
    dataset = read_dataset(tmp_path)
    assert dataset.rows.shape == (4078, 4, 32, 32)
    assert len(set(dataset.columns["category"])) == 8 and not dataset.skipped


@pytest.mark.skipif(not SPRITES.exists(), reason=f"needs {SPRITES.name}: 4,078 tiles of a CC0 game")
@pytest.mark.slow
def test_near_twins_stay_on_one_side(tmp_path):
    """Drawings of one name (1,542 share theirs with another) never stand on both sides of the hold-out."""
    with zipfile.ZipFile(SPRITES) as archive:
        archive.extractall(tmp_path)
    dataset = read_dataset(tmp_path)
    names = dataset.columns["name"]
    assert sum(count for count in Counter(map(str, names)).values() if count > 1) == 1542
    parts = split(dataset, DataOptions(group="name"))
    trained, held = ({str(names[i]) for i in rows.tolist()} for rows in (parts.train, parts.held_out))
    assert not trained & held and len(trained | held) == 3254
    assert 190 <= len(parts.held_out) <= int(0.05 * 4078)
    # Without the group they do cross.
    apart = split(dataset, DataOptions())
    assert {str(names[i]) for i in apart.train.tolist()} & {str(names[i]) for i in apart.held_out.tolist()}


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's package dataset-fashion-mnist")
@pytest.mark.slow
def test_fashion_mnist():
    dataset = read_dataset(FASHION)
    assert dataset.rows.shape == (60_000, 1, 28, 28)
    labels = dataset.columns["label"]
    assert [labels.count(str(digit)) for digit in range(10)] == [6000] * 10
