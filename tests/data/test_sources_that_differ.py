"""What several sources say of a picture, or one says unclearly: joined, or refused by name."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import Dataset, read_dataset
from fogcatcher.data.tables import read_table
from tests.pictures import picture, save

KINDS = ["orc", "elf", "orc", "elf"]
NAMES = [f"{i}.png" for i in range(4)]


def flat(root: Path) -> None:
    for i, name in enumerate(NAMES):
        save(root / name, picture(i))


def said(dataset: Dataset, column: str) -> dict[str, object]:
    return dict(zip(dataset.names, dataset.columns[column], strict=True))


def as_csv(root: Path, column: str, values: list[str], name: str = "metadata.csv") -> None:
    rows = "".join(f"{file},{value}\n" for file, value in zip(NAMES, values, strict=True))
    (root / name).write_text(f"file_name,{column}\n{rows}")


def as_tsv(root: Path, column: str, values: list[str]) -> None:
    rows = "".join(f"{file}\t{value}\n" for file, value in zip(NAMES, values, strict=True))
    (root / "Labels.TSV").write_text(f" File Name \t {column}\n{rows}")


def as_jsonl(root: Path, column: str, values: list[str]) -> None:
    rows = [{"file_name": file, column: value} for file, value in zip(NAMES, values, strict=True)]
    (root / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))


def as_json(root: Path, column: str, values: list[str]) -> None:
    rows = {file: {column: value} for file, value in zip(NAMES, values, strict=True)}
    (root / "captions.json").write_text(json.dumps(rows))


def as_sidecars(root: Path, column: str, values: list[str]) -> None:
    for file, value in zip(NAMES, values, strict=True):
        (root / f"{file}.json").write_text(json.dumps({column: value}))


def as_dataset_json(root: Path, column: str, values: list[str]) -> None:
    assert column == "label"
    (root / "dataset.json").write_text(
        json.dumps({"labels": [list(pair) for pair in zip(NAMES, values, strict=True)]})
    )


WRITERS: list[Callable[[Path, str, list[str]], None]] = [as_csv, as_tsv, as_jsonl, as_json, as_sidecars]
PAIRS = [(one, other) for one in WRITERS for other in [*WRITERS, as_dataset_json] if one is not other]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda w: w.__name__)
def test_two_sources_are_joined_or_refused_by_name(tmp_path, one, other):
    flat(tmp_path)
    one(tmp_path, "hp", ["1", "2", "3", "4"])
    other(tmp_path, "label", KINDS)
    dataset = read_dataset(tmp_path)
    assert list(said(dataset, "label").values()) == KINDS
    assert list(said(dataset, "hp").values()) == ["1", "2", "3", "4"]
    one(tmp_path, "label", ["orc", "elf", "imp", "elf"])
    with pytest.raises(
        UserError, match=r"say different things of label: 2.png \('(imp|orc)', '(imp|orc)'\) is"
    ):
        read_dataset(tmp_path)
    one(tmp_path, "label", KINDS)  # the same again is no contradiction
    assert list(said(read_dataset(tmp_path), "label").values()) == KINDS


@pytest.mark.parametrize("where", ["folder", "zip"])
def test_folders_beside_a_table_are_not_lost(tmp_path, where):
    root = tmp_path / "set"
    names = [f"{'food' if i < 2 else 'hero'}/{i}.png" for i in range(4)]
    for i, name in enumerate(names):
        save(root / name, picture(i))

    def read(table: str) -> Dataset:
        (root / "metadata.csv").write_text(table)
        if where == "folder":
            return read_dataset(root)
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for name in [*names, "metadata.csv"]:
                archive.write(root / name, name)
        return read_dataset(tmp_path / "set.zip")

    numbers = read("file_name,hp\n" + "".join(f"{name},{i}\n" for i, name in enumerate(names)))
    assert list(said(numbers, "label").values()) == ["food", "food", "hero", "hero"]
    classes = read("file_name,kind\n" + "".join(f"{n},{k}\n" for n, k in zip(names, KINDS, strict=True)))
    assert list(said(classes, "kind").values()) == KINDS and "label" not in classes.columns
    assert list(said(classes, "folder").values()) == ["food", "food", "hero", "hero"]
    assert any("sub-folders as folder" in note for note in classes.notes)


def test_few_captions_and_foreign_tables_are_named(tmp_path):
    flat(tmp_path)
    (tmp_path / "0.txt").write_text("a lonely caption")
    (tmp_path / "monsters.csv").write_text("name,kind\n0,orc\n")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    (tmp_path / "metadata.json").write_text('{"title": "my monsters"}')
    notes = " ".join(read_dataset(tmp_path).notes)
    assert ".txt files beside 1 of 4 pictures" in notes
    assert all(name in notes for name in ("monsters.csv", "sheet.xlsx", "metadata.json"))
    asked = read_dataset(tmp_path, DataOptions(labels="sidecars", unmatched="use"))
    assert asked.columns == {"text": ["a lonely caption", None, None, None]}


def test_tags_and_captions_beside_a_picture_are_two_columns(tmp_path):
    flat(tmp_path)
    for i, name in enumerate(NAMES):
        (tmp_path / f"{i}.txt").write_text(f"green, {i}")
        (tmp_path / f"{name}.caption").write_text(f"monster {i}")
    assert said(read_dataset(tmp_path), "caption")["2.png"] == "monster 2"
    assert said(read_dataset(tmp_path), "text")["2.png"] == "green, 2"


# --- one source that is unclear -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "table", "complaint"),
    [
        ("metadata.csv", "file_name,text\n0.png,a red orc, with hat\n1.png,b", r"row 1 has more cells .*hat"),
        ("metadata.csv", "file_name;text\n0.png;a\n1.png;b; c", r"row 2 has more cells"),
        ("captions.tsv", "file_name\ttext\n0.png\ta\tb", r"row 1 has more cells"),
        ("metadata.csv", "file_name,label,label\n0.png,a,b", r"two columns called 'label'"),
        ("metadata.csv", "file_name,label, label\n0.png,a,b", r"two columns called 'label'"),
        ("metadata.csv", 'file_name,text\n0.png,"big" sword\n1.png,b', r"cannot be read as a table"),
        ("metadata.csv", 'file_name,text\n0.png,"big sword\n1.png,b', r"cannot be read as a table"),
        ("metadata.jsonl", '{"file_name": "0.png", "label": "a", "label": "b"}', "row 1 .*'label' twice"),
        ("metadata.jsonl", '{"file_name": "0.png", "label": "a", "label ": "b"}', r"columns called 'label'"),
        ("dataset.json", '{"labels": [["0.png", 1], ["./0.png", 2]]}', r"rows 1 and 2 both name 0.png"),
        ("labels.json", '[{"file_name": "0.png"}, {"file_name": "0.png"}]', r"rows 1 and 2 both name 0.png"),
    ],
)  # fmt: skip
def test_rows_that_can_be_read_in_two_ways_are_refused(tmp_path, name, table, complaint):
    flat(tmp_path)
    (tmp_path / name).write_text(table)
    with pytest.raises(UserError, match=complaint):
        read_dataset(tmp_path, DataOptions(unmatched="use"))


def test_rows_that_end_early_are_said(tmp_path):
    flat(tmp_path)
    (tmp_path / "metadata.csv").write_text(
        "file_name,label,hp,\n0.png,orc,1\n1.png,elf\n2.png,orc,3,,\n3.png,elf,4\n"
    )
    dataset = read_dataset(tmp_path)
    assert dataset.columns == {"label": KINDS, "hp": ["1", None, "3", "4"]}
    assert any("too few cells in row 2" in note for note in dataset.notes)


@pytest.mark.parametrize("word", ["NaN", "N/A", "NULL", "inf", "-", "#N/A", "-inf", "None"])
def test_words_for_no_number_are_missing_among_numbers_and_classes_among_words(tmp_path, word):
    flat(tmp_path)
    (tmp_path / "metadata.csv").write_text(
        f"file_name,hp,kind\n0.png,1,{word}\n1.png,{word},a\n2.png,3,b\n3.png,4,a\n"
    )
    dataset = read_dataset(tmp_path)
    assert dataset.columns == {"hp": ["1", None, "3", "4"], "kind": [word, "a", "b", "a"]}
    assert any(note.startswith("hp: ") and word in note for note in dataset.notes)


def test_numbers_that_are_none_are_missing_in_json_and_arrays(tmp_path):
    flat(tmp_path / "a")
    rows = ["NaN", "Infinity", "2", "null"]
    (tmp_path / "a" / "metadata.jsonl").write_text(
        "\n".join(f'{{"file_name": "{file}", "hp": {hp}}}' for file, hp in zip(NAMES, rows, strict=True))
    )
    assert read_dataset(tmp_path / "a").columns == {"hp": [None, None, 2, None]}
    pictures = np.stack([picture(i) for i in range(4)])
    np.savez(
        tmp_path / "b.npz",
        images=pictures,
        hp=np.array([np.nan, -np.inf, 2, 3]),
        name=np.array([b"a", b"", b"b", b"c"]),
    )
    assert read_dataset(tmp_path / "b.npz").columns == {
        "hp": [None, None, 2.0, 3.0],
        "name": ["a", None, "b", "c"],
    }


def test_a_folder_called_nan_is_a_class(tmp_path):
    for i, name in enumerate(["1", "2", "nan", "null"]):
        save(tmp_path / name / f"{i}.png", picture(i))
    assert read_dataset(tmp_path).columns["label"] == ["1", "2", "nan", "null"]


def test_what_looks_like_a_number_to_python_only_stays_a_name(tmp_path):
    flat(tmp_path)
    as_csv(tmp_path, "level", ["1_1", "1_2", "nan", "1_1"])
    assert list(said(read_dataset(tmp_path), "level").values()) == ["1_1", "1_2", "nan", "1_1"]


def test_two_arrays_of_labels_or_of_one_name(tmp_path):
    pictures = np.stack([picture(i) for i in range(4)])
    np.savez(
        tmp_path / "a.npz",
        images=pictures,
        fine_labels=np.arange(4),
        coarse_labels=np.array([0, 0, 1, 1]),
        rest=np.arange(9),
    )
    dataset = read_dataset(tmp_path / "a.npz")
    assert dataset.columns == {"fine_labels": ["0", "1", "2", "3"], "coarse_labels": ["0", "0", "1", "1"]}
    assert "not used: rest" in dataset.notes[0]
    np.savez(tmp_path / "b.npz", images=pictures)
    with pytest.raises(UserError, match="the array 'images' twice"):
        read_dataset(tmp_path)


# --- letters ------------------------------------------------------------------------------------

WORDS = {"cp932": "ドラゴン", "cp1251": "дракон", "gbk": "巨龙", "euc_kr": "용", "big5": "巨龍",
         "cp1250": "żółw", "koi8-r": "дракон", "iso2022_jp": "ドラゴン", "mac-roman": "größe"}  # fmt: skip


@pytest.mark.parametrize("codec", WORDS)
@pytest.mark.parametrize("layout", ["csv", "jsonl", "sidecar", "folder", "zip"])
def test_letters_that_cannot_be_known_are_refused_until_they_are_told(tmp_path, codec, layout):
    word, root = WORDS[codec], tmp_path / "set"
    if layout in ("folder", "zip"):
        if codec == "iso2022_jp":
            return  # no program writes names so
        root = _in_named_folders(root, word.encode(codec), layout == "zip")
    else:
        flat(root)
        for i in range(4):
            if layout == "sidecar":
                (root / f"{i}.txt").write_bytes(f"{word} {i % 2}".encode(codec))
        if layout == "csv":
            rows = "".join(f"{name},{word} {i % 2}\r\n" for i, name in enumerate(NAMES))
            (root / "metadata.csv").write_bytes(f"file_name,text\r\n{rows}".encode(codec))
        if layout == "jsonl":
            rows = "".join(
                f'{{"file_name": "{name}", "text": "{word} {i % 2}"}}\n' for i, name in enumerate(NAMES)
            )
            (root / "metadata.jsonl").write_bytes(rows.encode(codec))
    with pytest.raises(UserError, match=r"UTF-8.*encoding"):
        read_dataset(root)
    columns = read_dataset(root, DataOptions(encoding=codec)).columns
    assert set(columns["text" if "text" in columns else "label"]) == {f"{word} 0", f"{word} 1"}


def _in_named_folders(root: Path, word: bytes, in_zip: bool) -> Path:
    stand_in = b"Q" * len(word)
    root.mkdir()
    with zipfile.ZipFile(root.with_suffix(".zip"), "w") as archive:
        for i in range(4):
            content = io.BytesIO()
            Image.fromarray(picture(i)).save(content, "PNG")
            archive.writestr(f"{stand_in.decode()} {i % 2}/{i}.png", content.getvalue())
            folder = os.fsencode(root) + b"/" + word + b" %d" % (i % 2)
            os.makedirs(folder, exist_ok=True)
            with open(folder + b"/%d.png" % i, "wb") as file:
                file.write(content.getvalue())
    packed = root.with_suffix(".zip")
    packed.write_bytes(packed.read_bytes().replace(stand_in, word))  # as programs write that know no UTF-8
    return packed if in_zip else root


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_letters_that_say_what_they_are(tmp_path, codec):
    flat(tmp_path)
    rows = "".join(f"{name},龍 {i % 2}\n" for i, name in enumerate(NAMES))
    (tmp_path / "metadata.csv").write_bytes(f"file_name,label\n{rows}".encode(codec))
    assert read_dataset(tmp_path).columns == {"label": ["龍 0", "龍 1", "龍 0", "龍 1"]}


def test_an_encoding_that_is_none_is_refused():
    for name in ("nix", "rot13", "zlib"):
        with pytest.raises(UserError, match="is no encoding of text"):
            DataOptions(encoding=name)


def test_line_ends_of_unicode_do_not_part_lines(tmp_path):
    flat(tmp_path)
    texts = ["a\u2028b", "a\u0085b", "a\u2029b", "a\x0cb"]
    rows = [
        json.dumps({"file_name": f, "text": t}, ensure_ascii=False) for f, t in zip(NAMES, texts, strict=True)
    ]
    (tmp_path / "metadata.jsonl").write_text("\r\n".join(rows).replace("\x0c", "\\f"), newline="")
    assert read_dataset(tmp_path).columns == {"text": texts}


def test_composed_and_decomposed_letters_are_one(tmp_path):
    save(tmp_path / "a" / "caf\u00e9" / "0.png", picture(0))
    save(tmp_path / "a" / "cafe\u0301" / "0.png", picture(1))
    save(tmp_path / "a" / "orc" / "2.png", picture(2))
    dataset = read_dataset(tmp_path / "a")
    assert sorted(map(str, dataset.columns["label"])) == ["caf\u00e9", "caf\u00e9", "orc"]
    save(tmp_path / "b" / "e\u0301.png", picture(0))
    save(tmp_path / "b" / "u.png", picture(1))
    (tmp_path / "b" / "metadata.csv").write_text("file_name,label\n\u00e9.png,caf\u00e9\nu.png,cafe\u0301\n")
    assert read_dataset(tmp_path / "b").columns == {"label": ["caf\u00e9", "caf\u00e9"]}


# --- all of it by chance ------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab,;\t|\"'\n\r é"), max_size=60), st.sampled_from(["csv", "tsv"]))
def test_a_table_is_read_whole_or_refused(text: str, suffix: str):
    """No letter of any cell is lost, wherever commas, quotes and line ends stand."""
    try:
        table = read_table(f"metadata.{suffix}", f"file_name,b\n{text}")
    except UserError as error:
        assert "metadata" in str(error)
        return
    cells = "".join(str(cell) for _, row in table.rows for cell in row.values())
    assert all(cells.count(letter) == text.count(letter) for letter in "abé"), table.rows
