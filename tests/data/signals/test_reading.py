"""Signals as they lie on disk, and every way in which they can be wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fogcatcher.base.errors import UserError
from fogcatcher.data.kinds import kind_of, read_any
from fogcatcher.data.options import DataOptions
from fogcatcher.data.signals.reading import read_signals, reads_signals

CHANCE = np.random.default_rng(0)
X = CHANCE.standard_normal((6, 2, 5)).astype(np.float32)
LABELS = ["a", "b", "a", "b", "a", "b"]


def in_arrays(folder: Path) -> Path:
    np.savez(folder / "set.npz", signals=X, label=np.array(LABELS))
    return folder / "set.npz"


def in_sub_folders(folder: Path) -> Path:
    for number, (signal, label) in enumerate(zip(X, LABELS, strict=True)):
        (folder / "set" / label).mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / "set" / label / f"{number}.csv", signal.T, delimiter=",")
    return folder / "set"


def in_numpy_files(folder: Path) -> Path:
    for number, (signal, label) in enumerate(zip(X, LABELS, strict=True)):
        (folder / "set" / label).mkdir(parents=True, exist_ok=True)
        np.save(folder / "set" / label / f"{number}.npy", signal)
    return folder / "set"


@pytest.mark.parametrize("save", [in_arrays, in_sub_folders, in_numpy_files])
def test_every_layout_gives_the_same_set(tmp_path, save):
    found = read_signals(save(tmp_path))
    order = sorted(range(6), key=lambda i: LABELS[i]) if save is not in_arrays else list(range(6))
    assert torch.allclose(found.rows[:], torch.from_numpy(X[order]), atol=1e-6)
    assert found.rows[:].dtype == torch.float32 and found.columns == {"label": [LABELS[i] for i in order]}


def test_a_table_has_a_signal_a_line_and_words_are_labels(tmp_path):
    lines = ["v0,v1,v2,kind,label"] + [
        f"{i},{i + 1},{i + 2},{'up' if i else 'low'},{i % 2}" for i in range(4)
    ]
    (tmp_path / "set.csv").write_text("\n".join(lines))
    found = read_signals(tmp_path / "set.csv")
    assert found.rows[:].tolist() == [[[i, i + 1, i + 2]] for i in range(4)]
    assert found.columns == {"kind": ["low", "up", "up", "up"], "label": ["0", "1", "0", "1"]}


def test_what_can_only_be_signals_is_recognised(tmp_path):
    (tmp_path / "set.csv").write_text("1,2\n3,4\n")
    assert kind_of(tmp_path / "set.csv", DataOptions()) == "signals"
    assert reads_signals(in_sub_folders(tmp_path)) and not reads_signals(in_arrays(tmp_path))
    assert kind_of(tmp_path / "set.npz", DataOptions(kind="signals")) == "signals"
    with pytest.raises(UserError, match="unknown kind of data 'meshes'"):
        read_any(tmp_path, DataOptions(kind="meshes"))


def test_one_bad_file_is_skipped_with_its_reason(tmp_path):
    folder = in_numpy_files(tmp_path)
    for name, bad in {
        "short": np.zeros((2, 4)),
        "infinite": np.full((2, 5), np.inf),
        "words": np.array(["x"]),
        "cube": np.zeros((1, 2, 5)),
    }.items():
        np.save(folder / "a" / f"{name}.npy", bad)
    np.save(folder / "a" / "pickle.npy", np.array([object()]), allow_pickle=True)
    (folder / "a" / "odd.csv").write_text("1,2\n3\n")
    (folder / "a" / "none.csv").write_text("one,two\n")
    found = read_signals(folder, DataOptions(max_bad=1.0))
    assert len(found) == 6
    said = {Path(name).stem: reason for name, reason in found.skipped.items()}
    assert said["short"] == "has shape (2, 4), channels x length, and most have (2, 5)"
    assert said["infinite"] == "holds a number that is not finite"
    assert said["cube"] == "is no signal, (L,) or (C, L), but float64 (1, 2, 5)"
    assert said["odd"] == said["none"] == "has lines of different lengths, or none"
    assert "pickle" in said["pickle"] and "words" in said
    with pytest.raises(UserError, match=r"^7 of 13 signals"):
        read_signals(folder)


def test_equal_signals_with_equal_labels_count_once(tmp_path):
    np.savez(tmp_path / "set.npz", x=np.concatenate([X, X[:2]]), label=np.array([*LABELS, "a", "a"]))
    found = read_signals(tmp_path / "set.npz")
    assert len(found) == 7 and found.duplicates == {"set.npz[6]": "set.npz[0]"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("set.csv", b"a,b\nx,y\n", "no column holds only numbers"),
        ("set.csv", b"\xff\xfe1\x00", "is not UTF-8"),
        ("set.csv", b'"1,2\n3,4', "is not a table of comma-separated values"),
        ("set.csv", b"", "set.csv holds no signals: it is empty"),
        ("set.wav", b"RIFF", "holds no signals: give a .npy"),
        ("set.npy", b"\x93NUMPY", "set.npy"),
    ],
)
def test_what_is_none_is_one_sentence(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        read_signals(tmp_path / name)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="there are no signals at"):
        read_signals(tmp_path / "nowhere")


def test_choices_of_rows_are_kept(tmp_path):
    path = in_arrays(tmp_path)
    assert len(read_signals(path, DataOptions(where='label == "a"'))) == 3
    assert len(read_signals(path, DataOptions(limit=2))) == 2
    assert set(read_signals(path, DataOptions(classes=("b",))).columns["label"]) == {"b"}
