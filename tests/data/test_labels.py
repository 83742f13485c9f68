"""What is known about pictures: every usual layout gives the same table, and mismatches are errors."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import Dataset, read_dataset
from tests.pictures import picture, save

CLASSES = ["3", "7", "3", "11", "7", "3", "11", "7", "3", "7", "11", "3"]


def in_folders(root: Path) -> None:
    for i, label in enumerate(CLASSES):
        save(root / label / f"{i}.png", picture(i))


def in_split_folders(root: Path) -> None:
    for i, label in enumerate(CLASSES):
        save(root / "train" / label / f"{i}.png", picture(i))
        save(root / "test" / label / f"{i}.png", picture(100 + i))


def flat(root: Path) -> list[tuple[str, str]]:
    for i in range(len(CLASSES)):
        save(root / f"{i:02}.png", picture(i))
    return [(f"{i:02}.png", label) for i, label in enumerate(CLASSES)]


def in_metadata_jsonl(root: Path) -> None:
    rows = [{"file_name": name, "label": label} for name, label in flat(root)]
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))


def in_metadata_csv(root: Path) -> None:
    (root / "metadata.csv").write_text("file_name,label\n" + "\n".join(map(",".join, flat(root))))


def in_a_spreadsheet_of_windows(root: Path) -> None:
    rows = "\r\n".join(f'"{name}";{label};"größe; klein"' for name, label in flat(root))
    (root / "labels.csv").write_bytes(f"image;label;note\r\n{rows}\r\n".encode("cp1252"))


def in_dataset_json(root: Path) -> None:
    pairs = [[name, int(label)] for name, label in flat(root)]
    (root / "dataset.json").write_text(json.dumps({"labels": pairs}))


def in_prefixes(root: Path) -> None:
    for i, label in enumerate(CLASSES):
        save(root / f"{label}_{i}.png", picture(i))


def in_sidecars(root: Path) -> None:
    for name, label in flat(root):
        (root / name).with_suffix(".cls").write_text(label)


def in_json_sidecars(root: Path) -> None:
    for name, label in flat(root):
        (root / name).with_suffix(".json").write_text(json.dumps({"label": label}))


def in_tar_shards(root: Path) -> None:
    root.mkdir()
    for shard in range(2):
        with tarfile.open(root / f"shard-{shard}.tar", "w") as tar:
            for i, label in list(enumerate(CLASSES))[shard::2]:
                png = root.parent / "one.png"
                save(png, picture(i))
                for name, content in ((f"{i // 2}.png", png.read_bytes()), (f"{i // 2}.cls", label.encode())):
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))


def in_an_npz_file(root: Path) -> None:
    root.mkdir()
    pictures = np.stack([picture(i) for i in range(len(CLASSES))])
    np.savez(root / "sprites.npz", images=pictures, labels=np.array(CLASSES, dtype=np.int64))


def in_npy_files_with_one_hot_rows(root: Path) -> None:
    root.mkdir()
    pictures = np.stack([picture(i) for i in range(len(CLASSES))]).transpose(0, 3, 1, 2) / 255
    np.save(root / "sprites_16x16.npy", pictures)
    np.save(root / "sprite_labels_16x16.npy", np.eye(12)[[int(label) for label in CLASSES]])


LAYOUTS: list[Callable[[Path], None]] = [
    in_folders, in_split_folders, in_metadata_jsonl, in_metadata_csv, in_a_spreadsheet_of_windows,
    in_dataset_json, in_prefixes, in_sidecars, in_json_sidecars, in_tar_shards, in_an_npz_file,
    in_npy_files_with_one_hot_rows,
]  # fmt: skip


def table(dataset: Dataset) -> dict[bytes, object]:
    """Pixels -> label."""
    pictures = dataset.rows[:].permute(0, 2, 3, 1).numpy()
    return {rgba.tobytes(): label for rgba, label in zip(pictures, dataset.columns["label"], strict=True)}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_same_table(tmp_path: Path, layout: Callable[[Path], None]):
    layout(tmp_path / "data")
    dataset = read_dataset(tmp_path / "data")
    assert table(dataset) == {picture(i).tobytes(): label for i, label in enumerate(CLASSES)}
    assert any("label" in note for note in dataset.notes)  # a sentence says which rule applied


def test_captions_with_folders_and_notes_beside_them(tmp_path):
    in_folders(tmp_path)
    for i, label in enumerate(CLASSES):
        (tmp_path / label / f"{i}.txt").write_text(f"a {label}\n of  pixels")
    (tmp_path / "3" / "README.txt").write_text("not a caption")
    dataset = read_dataset(tmp_path)
    assert sorted(map(str, dataset.columns["text"])) == sorted(f"a {label} of pixels" for label in CLASSES)
    assert dataset.columns["label"] == sorted(CLASSES, key=str)


def test_nested_folders_become_two_columns(tmp_path):
    for i, name in enumerate(["enemy/orc", "enemy/orc", "enemy/slime", "hero/knight", "hero"]):
        save(tmp_path / "sprites" / name / f"{i}.png", picture(i))
    dataset = read_dataset(tmp_path)
    rows = {
        name: (label, sub)
        for name, label, sub in zip(
            dataset.names, dataset.columns["label"], dataset.columns["sublabel"], strict=True
        )
    }
    assert rows["sprites/enemy/orc/0.png"] == ("enemy", "orc") and rows["sprites/hero/4.png"] == (
        "hero",
        None,
    )


def test_one_folder_or_odd_names_are_no_labels(tmp_path):
    for i, name in enumerate(["big_cat", "red_dog", "old_man_2", "a_b"]):
        save(tmp_path / "all" / f"{name}.png", picture(i))
    dataset = read_dataset(tmp_path)
    assert not dataset.columns and "labels: none" in dataset.notes[0]


def test_labels_can_be_refused_or_chosen(tmp_path):
    in_prefixes(tmp_path / "a")
    assert not read_dataset(tmp_path / "a", DataOptions(labels="none")).columns
    in_metadata_csv(tmp_path / "b")
    with pytest.raises(UserError, match="labels='folders': nothing of that kind"):
        read_dataset(tmp_path / "b", DataOptions(labels="folders"))
    with pytest.raises(UserError, match=r"unknown label rule 'folder'.*Did you mean folders"):
        read_dataset(tmp_path / "b", DataOptions(labels="folder"))


@pytest.mark.parametrize(
    ("layout", "extra_row"),
    [
        (
            in_metadata_jsonl,
            lambda root: append(root / "metadata.jsonl", '\n{"file_name": "gone.png", "label": "3"}'),
        ),
        (in_metadata_csv, lambda root: append(root / "metadata.csv", "\ngone.png,3")),
        (in_sidecars, lambda root: (root / "gone.cls").write_text("3")),
        (in_dataset_json, lambda root: add_pair(root / "dataset.json", ["gone.png", 3])),
    ],
)
def test_rows_and_pictures_must_match_both_ways(tmp_path, layout, extra_row):
    layout(tmp_path / "rows")
    extra_row(tmp_path / "rows")
    with pytest.raises(UserError, match=r"gone\.\S+ is named there, but no such picture"):
        read_dataset(tmp_path / "rows")
    layout(tmp_path / "files")
    for i in range(7):
        save(tmp_path / "files" / f"extra{i}.png", picture(50 + i))
    with pytest.raises(
        UserError, match=r"extra0.png, .*extra4.png and 2 more are in the folder, but not named there"
    ):
        read_dataset(tmp_path / "files")
    dataset = read_dataset(tmp_path / "files", DataOptions(unmatched="use"))
    assert len(dataset) == 19 and dataset.columns["label"].count(None) == 7
    assert any("not matched: extra0.png" in note for note in dataset.notes)
    assert len(read_dataset(tmp_path / "rows", DataOptions(unmatched="use"))) == 12


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def add_pair(path: Path, pair: list) -> None:
    path.write_text(json.dumps({"labels": [*json.loads(path.read_text())["labels"], pair]}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"file_name": "0.png"}\n{"label": 3}', r"row 2: no 'file_name'"),
        ('{"file_name": "0.png"}\n{"file_name": "./0.png"}', r"rows 1 and 2 both name 0.png"),
        ('{"file_name": "../../etc/secret.png"}', r"names a file outside the folder"),
        ('{"file_name": "/etc/secret.png"}', r"names a file outside the folder"),
        ('{"file_name": "0.png"', r"row 1 is not JSON"),
        ("[" * 100_000, r"row 1 is not JSON"),
        ('["0.png"]', r"row 1 is not an object"),
    ],
)
def test_wrong_rows_are_named(tmp_path, text, said):
    save(tmp_path / "0.png", picture(0))
    (tmp_path / "metadata.jsonl").write_text(text)
    with pytest.raises(UserError, match=said):
        read_dataset(tmp_path)


def test_only_the_train_split_is_used(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        rows = [{"file_name": f"{i}.png", "kind": "ab"[i % 2]} for i in range(count)]
        for i in range(count):
            save(tmp_path / split / f"{i}.png", picture(i))
        (tmp_path / split / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = read_dataset(tmp_path)
    assert dataset.names == ["train/0.png", "train/1.png", "train/2.png"] and not dataset.skipped
    assert dataset.columns == {"kind": ["a", "b", "a"]} and "only 'train' is used" in dataset.notes[0]


def test_rows_about_the_other_split_are_passed_over(tmp_path):
    for split in ("train", "test"):
        save(tmp_path / split / "0.png", picture(0))
        save(tmp_path / split / "1.png", picture(1))
    rows = "\n".join(f"{split}/{i}.png,{i}" for split in ("train", "test") for i in (0, 1))
    (tmp_path / "metadata.csv").write_text("file_name,label\n" + rows)
    assert read_dataset(tmp_path).columns == {"label": ["0", "1"]}
