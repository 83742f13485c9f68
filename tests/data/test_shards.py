"""Tar shards as the webdataset package writes them are one data set, each label beside its own picture."""

import gc
import io
import warnings

import pytest
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.files import shards_of
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset

wds = pytest.importorskip("webdataset")


def png(grey: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (8, 8), grey).save(content, "PNG")
    return content.getvalue()


def write(path, samples) -> None:
    with wds.TarWriter(str(path)) as writer:
        for key, fields in samples:
            writer.write({"__key__": key, **fields})


def labels_by_grey(dataset) -> dict[int, object]:
    greys = dataset.rows[:, 0, 0, 0].tolist()
    return dict(zip(greys, dataset.columns["label"], strict=True))


@pytest.mark.parametrize("given", ["folder", "pattern"])
@pytest.mark.slow
def test_shards_are_one_data_set_and_read_as_webdataset_reads_them(tmp_path, given):
    for shard in range(3):
        numbers = range(10 * shard, 10 * shard + 10)
        write(
            tmp_path / f"train-{shard:03d}.tar",
            [(f"{n:06d}", {"png": png(n), "cls": n % 7}) for n in numbers],
        )
    pattern = str(tmp_path / "train-{000..002}.tar")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # their reader leaves its files open
        theirs = {
            Image.open(io.BytesIO(sample["png"])).getpixel((0, 0)): sample["cls"].decode()
            for sample in wds.WebDataset(pattern, shardshuffle=False)
        }
        gc.collect()
    ours = read_dataset(tmp_path if given == "folder" else pattern)
    assert len(theirs) == 30 and labels_by_grey(ours) == theirs


def test_a_pattern_leaves_the_other_shards_alone(tmp_path):
    for name, greys in (("train-00", (1, 2)), ("train-01", (3, 4)), ("val-00", (5, 6))):
        write(tmp_path / f"{name}.tar", [(str(g), {"png": png(g), "cls": g}) for g in greys])
    ours = read_dataset(tmp_path / "train-{00..01}.tar")
    assert sorted(labels_by_grey(ours)) == [1, 2, 3, 4]


def test_keys_used_again_in_another_shard_keep_their_own_labels(tmp_path):
    """Key 1 has no label in the first shard: that of the second must not become its."""
    write(
        tmp_path / "a.tar",
        [("0", {"png": png(10), "cls": 3}), ("1", {"png": png(11)}), ("2", {"png": png(12), "cls": 4})],
    )
    write(tmp_path / "b.tar", [("0", {"png": png(20), "cls": 5}), ("1", {"png": png(21), "cls": 6})])

    ours = read_dataset(tmp_path, DataOptions(unmatched="use"))
    assert labels_by_grey(ours) == {10: "3", 11: None, 12: "4", 20: "5", 21: "6"}


def test_fields_of_json_become_columns(tmp_path):
    write(
        tmp_path / "a.tar",
        [(str(n), {"png": png(n), "json": {"size": n, "kind": "ab"[n % 2]}}) for n in range(4)],
    )
    ours = read_dataset(tmp_path)
    assert ours.columns == {"size": [0, 1, 2, 3], "kind": ["a", "b", "a", "b"]}


def test_patterns(tmp_path):
    for name in ("a-08-1", "a-09-1", "a-10-1", "a-08-2", "a-09-2", "a-10-2"):
        (tmp_path / f"{name}.tar").touch()
    found = shards_of(tmp_path / "a-{08..10}-{1..2}.tar")
    assert [p.stem for p in found] == ["a-08-1", "a-08-2", "a-09-1", "a-09-2", "a-10-1", "a-10-2"]
    assert shards_of(tmp_path) == [] == shards_of(tmp_path / "a-08-1.tar")
    with pytest.raises(UserError, match=r"there is no file .*a-11-1\.tar"):
        read_dataset(tmp_path / "a-{08..11}-1.tar")
    with pytest.raises(UserError, match=r"write the first and the last"):
        read_dataset(tmp_path / "a-{10..08}-1.tar")
