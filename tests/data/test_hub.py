"""Data sets of the Hugging Face library: saved folders and Parquet files; fetching by name is not tried."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.base.spare_cache import spare_cache
from fogcatcher.data.reading import read_dataset
from tests.pictures import picture

datasets = pytest.importorskip("datasets", reason="needs the extra 'hub'")
pyarrow = pytest.importorskip("pyarrow", reason="needs the extra 'hub'")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'hub'")

CLASSES = ["food", "hero", "hero", "food", "hero"]


def rows():
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["food", "hero"]),
            "hp": datasets.Value("int64"),
            "tags": datasets.Sequence(datasets.Value("string")),
        }
    )
    table = {
        "image": [Image.fromarray(picture(i), "RGBA") for i in range(5)],
        "label": CLASSES,
        "hp": [3, None, 5, 6, 7],
        "tags": [["wet"], [], ["wet", "dark"], [], []],
    }
    return datasets.Dataset.from_dict(table, features=features)


def check(path: object) -> None:
    dataset = read_dataset(str(path))
    pixels = dataset.rows[:].permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(pixels, np.stack([picture(i) for i in range(5)]))
    assert dataset.columns["label"] == CLASSES and dataset.columns["hp"] == [3, None, 5, 6, 7]
    assert dataset.columns["tags"][2] == ["wet", "dark"] and "Hugging Face" in dataset.notes[0]


def test_a_saved_data_set(tmp_path):
    rows().save_to_disk(tmp_path / "saved")
    check(tmp_path / "saved")


def test_saved_splits_take_train(tmp_path):
    datasets.DatasetDict({"test": rows().select([0]), "train": rows()}).save_to_disk(tmp_path / "saved")
    check(tmp_path / "saved")


def test_parquet_files(tmp_path):
    (tmp_path / "data").mkdir()
    rows().to_parquet(tmp_path / "data" / "train-0.parquet")
    check(tmp_path / "data")


def test_rows_without_a_picture_are_skipped_and_paths_are_not_followed(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    png = io.BytesIO()
    Image.fromarray(picture(0), "RGBA").save(png, "PNG")
    outside = {"bytes": None, "path": str(tmp_path / "secret.png")}
    cells = [{"bytes": png.getvalue(), "path": None}, outside, None]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    (tmp_path / "saved").mkdir()
    table = pyarrow.table({"image": pyarrow.array(cells, kind)})
    parquet.write_table(table, tmp_path / "saved" / "a.parquet")
    with pytest.raises(
        UserError, match=r"row 1 names a file outside the table; row 2 holds no picture in its row"
    ):
        read_dataset(tmp_path / "saved")


def test_a_table_without_pictures_names_its_columns(tmp_path):
    datasets.Dataset.from_dict({"a": [1], "b": ["x"]}).save_to_disk(tmp_path / "saved")
    with pytest.raises(UserError, match="no column holds pictures; the columns are a, b"):
        read_dataset(tmp_path / "saved")


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    rows().save_to_disk(tmp_path / "saved")
    monkeypatch.setitem(sys.modules, "datasets", None)
    for where in (str(tmp_path / "saved"), "hub:nobody/nothing"):
        with pytest.raises(UserError, match=r"pip install 'fogcatcher\[hub\]'"):
            read_dataset(where)


@pytest.mark.parametrize("place", ["cache", "cache/deeper"])
def test_parquet_files_are_read_where_their_library_has_no_cache(place, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    rows().to_parquet(tmp_path / "data" / "train-0.parquet")
    (tmp_path / "cache").write_text("mine")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / place)
    spare_cache.cache_clear()
    with pytest.warns(UserWarning, match="the cache cannot be written") as said:
        check(tmp_path / "data")
        check(tmp_path / "data")
    assert len([each for each in said if "the cache" in str(each.message)]) == 1
    assert (tmp_path / "cache").read_text() == "mine"
