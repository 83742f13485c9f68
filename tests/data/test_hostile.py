"""Over 200 kinds of odd and hostile files: each is used, skipped or ignored, as decided beforehand."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import printable
from fogcatcher.data.files import FolderFiles
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.picture_files import decode
from fogcatcher.data.reading import Dataset, read_dataset
from tests.hostile_files import Hostile, make_all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, Hostile]:
    return {printable(name): hostile for name, hostile in make_all(folder).items()}


@pytest.fixture(scope="module")
def dataset(folder: Path, made: dict[str, Hostile]) -> Iterator[Dataset]:
    # A reader that hangs on a pipe must fail, not stop the tests.
    signal.alarm(120)
    yield read_dataset(folder, DataOptions(max_bad=1.0, labels="none"))
    signal.alarm(0)


def fate_of(name: str, dataset: Dataset) -> tuple[str, str]:
    for fate, reasons in (
        ("skipped", dataset.skipped),
        ("duplicate", dataset.duplicates),
        ("ignored", dataset.ignored),
    ):
        for listed in (name, f"{name}/"):
            if listed in reasons:
                said = reasons[listed]
                return fate, f"same pixels as {said}" if fate == "duplicate" else said
    return ("used", "") if name in dataset.names else ("ignored", "")


def test_every_file_meets_its_fate(dataset: Dataset, made: dict[str, Hostile]):
    assert len({hostile.kind for hostile in made.values()}) >= 60
    wrong = []
    for name, hostile in made.items():
        fate, said = fate_of(name, dataset)
        if fate != hostile.fate or hostile.reason.lower() not in said.lower():
            wrong.append((hostile.kind, hostile.fate, hostile.reason, fate, said))
    assert not wrong


def test_nothing_is_unaccounted_for(dataset: Dataset, folder: Path):
    """Every regular file below the folder is in one list, and nothing else is."""
    inside = {
        printable(os.path.relpath(os.path.join(parent, name), folder))
        for parent, _, names in os.walk(folder)
        for name in names
    }
    lists = [set(dataset.names), set(dataset.skipped), set(dataset.duplicates), set(dataset.ignored)]
    assert sum(map(len, lists)) == len(set.union(*lists))
    left_alone = {name.rstrip("/") for name in dataset.ignored}
    for name in inside - set.union(*lists):
        assert any(parent in left_alone for parent in map(str, Path(name).parents)), name
    assert set(dataset.names) <= inside and set(dataset.skipped) <= inside


def test_what_can_be_used_has_the_right_pixels(made: dict[str, Hostile], folder: Path):
    files = FolderFiles(folder)
    compared = 0
    for name, hostile in made.items():
        if hostile.fate == "used" and hostile.expect is not None:
            np.testing.assert_array_equal(
                decode(files.read(name))[0][1], hostile.expect(), err_msg=hostile.kind
            )
            compared += 1
    assert compared >= 60


def test_too_many_bad_pictures_are_an_error(folder: Path, made: dict[str, Hostile]):
    bad = Counter(hostile.fate for hostile in made.values())["skipped"]
    with pytest.raises(UserError, match=rf"{bad} of \d+ pictures .* at most 5% may be bad.*max_bad=0\.\d+"):
        read_dataset(folder, DataOptions(labels="none"))
