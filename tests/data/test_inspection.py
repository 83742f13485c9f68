"""What was planted in a data set is found and said, on the terminal, as JSON and as a page."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fogcatcher.data.inspection import describe, inspect_dataset
from fogcatcher.data.options import DataOptions
from fogcatcher.data.reading import read_dataset
from fogcatcher.judging.data_page import page
from tests.pictures import picture, save

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """12 pictures: 8 of one class and 4 of the other, two of them nearly twins, one broken file, one text.

    Each is noise, so none is symmetric; its colours are counted below without the program.
    """
    root = tmp_path_factory.mktemp("inspected")
    for i in range(8):
        save(root / EVIL.replace("/", "") / f"a{i}.png", picture(seed=i))
    for i in range(3):
        save(root / "plain" / f"b{i}.png", picture(seed=100 + i))
    twin = picture(seed=100)
    row, column = np.argwhere(twin[..., 3] == 255)[0]
    twin[row, column, :3] ^= 1
    save(root / "plain" / "twin.png", twin)
    (root / "plain" / "broken.png").write_bytes(b"\x89PNG nothing")
    (root / "plain" / "b & c.txt2").write_text("x")
    return root


@pytest.fixture(scope="module")
def dataset(folder):
    return read_dataset(folder, DataOptions(max_bad=1.0))


@pytest.fixture(scope="module")
def findings(dataset):
    return inspect_dataset(dataset)


def test_planted_facts_are_found(findings, folder):
    assert (findings.pictures, findings.height, findings.width, findings.channels) == (12, 16, 16, 4)
    assert findings.modes == {"RGBA": 12} and findings.sizes == {"16x16": 12}
    assert list(findings.skipped) == ["plain/broken.png"] and list(findings.ignored) == ["plain/b & c.txt2"]
    assert findings.transparent == 1.0 and findings.soft == 0.0
    [pair] = findings.near
    assert {Path(name).name for name in pair.names} == {"b0.png", "twin.png"}
    [label] = findings.columns
    assert label.balance == 2.0 and list(label.common.values()) == [8, 4] and label.missing == 0
    assert all(score == 0 for score in findings.mirrors.values())


def test_colours_are_those_of_visible_pixels(findings, folder):
    """Against a count with sets of numpy rows."""
    counts = []
    for path in sorted(folder.rglob("*.png")):
        if path.name != "broken.png":
            rgba = np.asarray(Image.open(path)).reshape(-1, 4)
            counts.append(len(np.unique(rgba[rgba[:, 3] > 0, :3], axis=0)))
    assert (findings.colours.least, findings.colours.most) == (min(counts), max(counts))
    assert sum(findings.colours.pictures.values()) == 12
    assert findings.colours.pictures == {n: counts.count(n) for n in sorted(set(counts))}


def test_json_gives_back_the_same(findings):
    report = findings.to_json()
    assert json.loads(json.dumps(report)) == report
    assert report["skipped"]["plain/broken.png"] and report["near"][0]["names"]


def test_sentences(findings):
    said = "\n".join(describe(findings))
    for sentence in (
        "12 pictures, all 16x16, RGBA",
        "1 picture cannot be used:\n  plain/broken.png: ",
        "labels: the sub-folders",
        "the largest is 2 times the smallest",
        "near-duplicates: 2 pictures look nearly like another",
        "flips left-right should not be used: only 0% of the pictures are symmetric",
        "1 other file passed over:\n  plain/b & c.txt2: ",
        "transparency: in 100% of the pictures, hard edges in all",
    ):
        assert sentence in said


def test_long_lists_are_cut_unless_all_is_asked(tmp_path):
    save(tmp_path / "a.png", picture())
    for i in range(9):
        (tmp_path / f"broken{i}.png").write_text("x")
    findings = inspect_dataset(read_dataset(tmp_path, DataOptions(max_bad=1.0)))
    assert "  and 4 more (verbose=True lists all)" in describe(findings)
    said = "\n".join(describe(findings, verbose=True))
    assert all(f"broken{i}.png" in said for i in range(9)) and "verbose" not in said


class Tags(HTMLParser):
    """Collects every tag, every address and all pictures; complains of tags that are not closed."""

    VOID = ("meta", "link", "img", "br", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")
        ]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_holds_everything_itself_and_runs_nothing(findings, dataset):
    """Class and file names are anybody's text: none of it becomes a tag."""
    text = page(findings, dataset, {"time": "10 <b>minutes</b>"}, [{"name": EVIL, "classes": ("a", EVIL)}])
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert not tags.open and "script" not in tags.seen and "b" not in tags.seen
    assert all(address.startswith("data:") for address in tags.addresses)
    assert "http" not in re.sub(r"data:image/png;base64,[\w+/=]+|http-equiv", "", text)
    assert "default-src 'none'" in text
    # Every class's pictures, the planted twins, and the mirror images are on it.
    assert sum(address.startswith("data:image/png") for address in tags.addresses) == 12 + 2 + 3 * 2 * 8
    for sentence in ("Near-duplicates", "plain/broken.png", "&lt;script&gt;", "May pictures be flipped?"):
        assert sentence in text


def test_pictures_without_labels_have_a_page(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", picture(seed=i), "L")
    dataset = read_dataset(tmp_path)
    text = page(inspect_dataset(dataset), dataset)
    assert "3 pictures, 16x16, grey" in text and "Classes" not in text
