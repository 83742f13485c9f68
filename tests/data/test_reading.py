"""From a path to a data set: sizes, channels, duplicates, broken files, arrays, archives, the cache."""

import errno
import gzip
import json
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data import sprites
from fogcatcher.data.options import DataOptions
from fogcatcher.data.pictures.spec import PictureSpec, hard_share, spec_of, to_model
from fogcatcher.data.pictures.store import PictureStore, cache_folder
from fogcatcher.data.reading import CACHE_FROM, read_dataset
from tests.pictures import picture, save


def art(count: int, seed: int = 0) -> list[np.ndarray]:
    return [sprite.pixels for sprite in sprites.draw_many(count, seed)]


def test_broken_files_are_skipped_and_named(tmp_path):
    for i in range(5):
        save(tmp_path / f"{i}.png", picture(i))
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / ".hidden.png").write_bytes(whole)
    dataset = read_dataset(tmp_path, DataOptions(max_bad=0.5))
    assert len(dataset) == 5
    assert set(dataset.skipped) == {"cut.png", "empty.png", "text.png"}
    assert set(dataset.ignored) == {"notes.txt", ".hidden.png"}
    with pytest.raises(
        UserError, match=r"3 of 8 pictures \(38%\) cannot be used.*cut.png is broken.*max_bad=0.39"
    ):
        read_dataset(tmp_path)
    assert len(read_dataset(tmp_path, DataOptions(max_bad=0.39))) == 5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: None, "there is no folder"),
        (lambda root: root.mkdir(), "is empty: put PNG"),
        (lambda root: write(root / "a.psd", b"8BPS"), r"\.psd x 1"),
        (
            lambda root: write(root / "a.png", b"no"),
            "none of the 1 pictures can be read; a.png, for one, is not a pic",
        ),
    ],
)
def test_missing_empty_and_useless_folders_have_their_own_sentences(tmp_path, make, said):
    make(tmp_path / "data")
    with pytest.raises(UserError, match=said):
        read_dataset(tmp_path / "data")


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def test_one_picture_is_not_a_folder(tmp_path):
    save(tmp_path / "a.png", picture(0))
    with pytest.raises(UserError, match=r"is one picture.*data split-sheet"):
        read_dataset(tmp_path / "a.png")


def test_equal_pixels_and_labels_are_used_once(tmp_path):
    for name in ("a/0.png", "a/1.webp", "a/2.bmp", "b/0.png"):
        path, rgba = tmp_path / name, picture(0, alpha=False)
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rgba, "RGBA").convert("RGB").save(path, lossless=True)
    save(tmp_path / "b" / "1.png", picture(1))
    dataset = read_dataset(tmp_path)
    assert dataset.names == ["a/0.png", "b/0.png", "b/1.png"]
    assert dataset.duplicates == {"a/1.webp": "a/0.png", "a/2.bmp": "a/0.png"}
    assert dataset.prints[0] == dataset.prints[1] != dataset.prints[2]


def test_channels_follow_the_content(tmp_path):
    grey = picture(0, alpha=False)
    grey[..., 1:3] = grey[..., :1]
    save(tmp_path / "grey" / "a.png", grey)
    save(tmp_path / "rgb" / "a.png", picture(1, alpha=False))
    save(tmp_path / "rgba" / "a.png", picture(2))
    seen = grey.copy()
    seen[:4] = 0
    save(tmp_path / "grey and alpha" / "a.png", seen)
    found = {folder.name: read_dataset(folder).rows.shape[1] for folder in tmp_path.iterdir()}
    assert found == {"grey": 1, "grey and alpha": 2, "rgb": 3, "rgba": 4}


def test_alpha_can_be_kept_dropped_or_painted_over(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, 255
    rgba[:4] = (0, 0, 255, 0)  # hidden blue
    rgba[4] = (200, 0, 0, 51)
    for i in range(2):
        rgba[7, 7, 1] = i
        Image.fromarray(rgba, "RGBA").save(tmp_path / f"{i}.png")

    def first(alpha: str) -> torch.Tensor:
        return read_dataset(tmp_path, DataOptions(alpha=alpha)).rows[:1][0]

    assert first("keep")[:, 0, 0].tolist() == [0, 0, 0, 0]
    painted = first("composite:#0a0b0c")
    assert painted.shape[0] == 3 and painted[:, 0, 0].tolist() == [10, 11, 12]
    assert painted[:, 4, 0].tolist() == [48, 9, 10]  # 0.2 * 200 + 0.8 * 10, 0.8 * 11, 0.8 * 12
    assert first("drop")[:, 5, 0].tolist() == [200, 0, 0]
    with pytest.raises(UserError, match="composite:#rrggbb"):
        DataOptions(alpha="composite")


# --- sizes --------------------------------------------------------------------------------------


def test_enlarged_art_is_brought_back_and_its_size_is_the_default(tmp_path):
    drawn = art(12)
    for i, pixels in enumerate(drawn):
        save(tmp_path / f"{i:02}.png", pixels.repeat(8, 0).repeat(8, 1))
    dataset = read_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.rows[:].permute(0, 2, 3, 1).numpy(), np.stack(drawn))
    assert dataset.fitted == Counter({"restored 8x": 12}) and dataset.sizes == Counter({(128, 128): 12})


def test_the_default_size_holds_nearly_all_pixel_art(tmp_path):
    for i, pixels in enumerate(art(40)):
        big = np.pad(pixels, ((0, 8), (0, 4), (0, 0))) if i % 4 == 0 else pixels
        save(tmp_path / f"{i:02}.png", np.pad(big, ((8, 8), (8, 8), (0, 0))) if i == 1 else big)
    dataset = read_dataset(tmp_path)
    assert dataset.rows.shape[2:] == (24, 20)
    assert dataset.fitted["padded"] == 30 and dataset.fitted["shrunk"] == 1


def test_photographs_take_the_most_common_size_up_to_64(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(6):
        smooth = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8)).resize(
            (40, 30) if i else (90, 80)
        )
        smooth.save(tmp_path / f"{i}.png")
    assert read_dataset(tmp_path).rows.shape[2:] == (30, 40)
    (tmp_path / "a").mkdir()
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).resize((300, 300)).save(
        tmp_path / "a" / "x.png"
    )
    assert read_dataset(tmp_path / "a").rows.shape[2:] == (32, 32)


# --- selection on the way -----------------------------------------------------------------------


def test_only_what_is_asked_for_is_read(tmp_path):
    rows = [{"file_name": f"{i}.png", "kind": "abc"[i % 3], "size": i} for i in range(9)]
    for i in range(9):
        save(tmp_path / f"{i}.png", picture(i))
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def names(**options: object) -> list[str]:
        return read_dataset(tmp_path, DataOptions(**options)).names  # type: ignore[arg-type]

    assert names(where='kind == "a" and size > 2') == ["3.png", "6.png"]
    assert names(classes=("b", "c")) == [f"{i}.png" for i in (1, 2, 4, 5, 7, 8)]
    limited = names(limit=4)
    assert len(limited) == 4 and set(names(limit=3)) < set(limited)
    with pytest.raises(UserError, match=r"unknown kind 'd'. Valid: a, b, c"):
        names(classes=("d",))
    with pytest.raises(UserError, match="none of the 9 pictures is left"):
        names(where="size > 100")


# --- the cache ----------------------------------------------------------------------------------


def test_a_large_set_is_read_once(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    count = CACHE_FROM + 5
    pictures = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "a.npz", pictures=pictures, labels=np.arange(count) % 3)
    first = read_dataset(tmp_path / "a.npz")
    entries = set(cache_folder().iterdir())

    def fail(*arguments: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("fogcatcher.data.reading._Collector.add", fail)
    again = read_dataset(tmp_path / "a.npz")
    assert again.rows[:].equal(first.rows[:]) and set(cache_folder().iterdir()) == entries
    assert (again.columns, again.names, again.sizes, again.digest) == (
        first.columns, first.names, first.sizes, first.digest,
    )  # fmt: skip
    # Held out or not is no matter of reading; which classes are is.
    assert len(read_dataset(tmp_path / "a.npz", DataOptions(hold_out=0.5))) == count
    with pytest.raises(AssertionError, match="decoded again"):
        read_dataset(tmp_path / "a.npz", DataOptions(classes=("1",)))
    np.savez(tmp_path / "a.npz", pictures=pictures[1:], labels=np.arange(count - 1) % 3)
    with pytest.raises(AssertionError, match="decoded again"):
        read_dataset(tmp_path / "a.npz")


@pytest.mark.slow
def test_a_damaged_cache_is_made_again(tmp_path):
    pictures = np.random.default_rng(1).integers(0, 256, (CACHE_FROM, 8, 8), np.uint8)
    np.save(tmp_path / "a.npy", pictures)
    first, before = read_dataset(tmp_path / "a.npy"), set(cache_folder().iterdir())
    entry = max(before, key=lambda folder: folder.stat().st_mtime_ns)
    (entry / "pictures.bin").write_bytes(b"short")
    assert read_dataset(tmp_path / "a.npy").rows[:].equal(first.rows[:])
    (entry / "dataset.json").write_text("{")
    assert read_dataset(tmp_path / "a.npy").rows[:].equal(first.rows[:])


@pytest.mark.parametrize("trouble", ["a file", "below a file", "read-only", "full", "no home"])
@pytest.mark.slow
def test_without_a_cache_a_large_set_is_read_all_the_same(trouble, tmp_path, monkeypatch):
    pictures = np.random.default_rng(2).integers(0, 256, (CACHE_FROM, 8, 8), np.uint8)
    np.save(tmp_path / "a.npy", pictures)
    cache = tmp_path / "cache"
    if trouble in ("a file", "below a file"):
        cache.write_text("mine")
        monkeypatch.delenv("FOGCATCHER_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "deeper" if "below" in trouble else cache))
    elif trouble == "read-only":  # as for one who is not root, whom no mode stops
        monkeypatch.setenv("FOGCATCHER_CACHE", str(cache))
        error = PermissionError(errno.EACCES, "Permission denied")
        monkeypatch.setattr("fogcatcher.data.pictures.store.tempfile.mkdtemp", raising(error))
    elif trouble == "full":
        monkeypatch.setenv("FOGCATCHER_CACHE", str(cache))
        error = OSError(errno.ENOSPC, "No space left on device")
        monkeypatch.setattr("fogcatcher.data.pictures.store.os.replace", raising(error))
    else:
        monkeypatch.delenv("FOGCATCHER_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", raising(RuntimeError("Could not determine home directory.")))
    read = read_dataset(tmp_path / "a.npy")
    np.testing.assert_array_equal(read.rows[:][:, 0].numpy(), pictures)
    (said,) = [note for note in read.notes if "cache" in note]
    assert said.startswith("not kept for the next time: the cache, ") and "\n" not in said
    assert not list(cache.glob(".part-*")) if cache.is_dir() else True


def test_a_cache_that_may_only_be_read_still_serves(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.random.default_rng(3).integers(0, 256, (CACHE_FROM, 8, 8), np.uint8))
    first = read_dataset(tmp_path / "a.npy")
    denied = raising(PermissionError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr("fogcatcher.data.pictures.store.os.utime", denied)
    monkeypatch.setattr("fogcatcher.data.reading._Collector.add", denied)
    again = read_dataset(tmp_path / "a.npy")
    assert again.rows[:].equal(first.rows[:]) and again.notes == first.notes


def raising(error: Exception) -> Callable[..., None]:
    def fail(*given: object, **named: object) -> None:
        raise error

    return fail


def test_a_store_reads_what_is_asked_for(tmp_path):
    content = torch.arange(7 * 2 * 3 * 4, dtype=torch.uint8).reshape(7, 2, 3, 4)
    (tmp_path / "p.bin").write_bytes(content.numpy().tobytes())
    store = PictureStore(tmp_path / "p.bin", (7, 2, 3, 4))
    assert len(store) == 7 and store[2:5].equal(content[2:5]) and store[::3].equal(content[::3])
    chosen = torch.tensor([6, 0, 0, 3])
    assert store[chosen].equal(content[chosen]) and store[:].equal(content) and len(store[7:]) == 0


# --- archives, arrays, IDX ----------------------------------------------------------------------


def test_a_zip_is_read_in_place(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(6):
            save(tmp_path / "x.png", picture(i))
            archive.write(tmp_path / "x.png", f"../{'ab'[i % 2]}/{i}.PNG")
        archive.write(tmp_path / "x.png", "__MACOSX/._x.png")
    dataset = read_dataset(tmp_path / "a.zip")
    assert dataset.columns["label"] == ["a"] * 3 + ["b"] * 3 and len(dataset.ignored) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "x.png"}  # nothing was unpacked
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(b"no tar"))
    with pytest.raises(UserError, match="is a file: give the folder"):
        read_dataset(tmp_path / "b.tar.gz")


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (lambda x: x / 255, 0),
        (lambda x: x / 127.5 - 1, 0),
        (lambda x: x.astype(np.float32), 0),
        (lambda x: x.astype(np.uint16) * 257, 0),
        (lambda x: x.astype(np.int64), 0),
        (lambda x: x.transpose(0, 3, 1, 2), 0),
        (lambda x: x > 127, 128),
    ],
)
def test_arrays_of_every_scale(tmp_path, scale, expected):
    pictures = np.random.default_rng(0).integers(0, 256, (9, 8, 10, 3), np.uint8)
    pictures[0, 0, 0, 0], pictures[0, 0, 0, 1] = 0, 255
    np.save(tmp_path / "a.npy", scale(pictures))
    found = read_dataset(tmp_path / "a.npy").rows[:].permute(0, 2, 3, 1).numpy()
    assert np.abs(found.astype(int) - pictures).max() <= expected


def test_arrays_that_are_no_pictures_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 3)))
    with pytest.raises(UserError, match=r"no array of pictures.*a \(5, 3\)"):
        read_dataset(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.array([{"code": 1}], dtype=object))
    with pytest.raises(UserError, match="cannot be read as an array"):
        read_dataset(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.full((5, 8, 8), 1e9))
    with pytest.raises(UserError, match="scale them to"):
        read_dataset(tmp_path / "a.npy")


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_pairs(tmp_path, suffix):
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 256, (7, 28, 28), dtype=np.uint8), np.arange(7, dtype=np.uint8)
    write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", pictures)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", labels)
    dataset = read_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.rows[:][:, 0].numpy(), pictures)
    assert dataset.columns == {"label": [str(i) for i in range(7)]}
    assert read_dataset(tmp_path, DataOptions(size=(32, 32))).rows.shape == (7, 1, 32, 32)


def test_damaged_idx_files_are_refused(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    write_idx(path, np.zeros((3, 4, 4), np.uint8))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="cut short"):
        read_dataset(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(UserError, match="gzipped IDX"):
        read_dataset(tmp_path)


def test_quantisation_is_the_inverse_of_scaling():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    spec = PictureSpec(16, 16, 1, hard_alpha=False, sigma_data=0.5)
    assert spec.from_model(to_model(every)).equal(every)


def test_generated_alpha_is_hard_where_the_data_was():
    x = torch.linspace(-1.2, 1.2, 2 * 4 * 8 * 8).reshape(2, 4, 8, 8)
    for hard in (True, False):
        pictures = PictureSpec(8, 8, 4, hard, 0.5).from_model(x)
        assert (set(pictures[:, 3].unique().tolist()) <= {0, 255}) == hard
        assert not (pictures[:, :3] * (pictures[:, 3:] == 0)).any()


def test_spec_measures_the_data():
    pictures = torch.zeros(10, 4, 8, 12, dtype=torch.uint8)
    pictures[:, :, ::2] = 255
    spec = spec_of(pictures)
    assert (spec.height, spec.width, spec.channels, spec.hard_alpha) == (8, 12, 4, True)
    assert spec.sigma_data == pytest.approx(1.0, abs=1e-3)  # half -1, half 1
    pictures[0, 3, 0, 0] = 7
    assert hard_share(pictures) == 1 - 1 / 960 and spec_of(pictures).hard_alpha  # 1 of 10 x 8 x 12
    pictures[0, 3, :4] = 7
    assert hard_share(pictures) == 0.95 and spec_of(pictures).hard_alpha  # 48 of 960
    pictures[0, 3, 4, 0] = 7
    assert not spec_of(pictures).hard_alpha


def test_animations_are_named_where_one_frame_stands_for_them(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", picture(i))
    frames = [Image.fromarray(picture(i)) for i in range(4)]
    clear = Image.new("RGBA", (16, 16), "#0000")
    frames[0].save(tmp_path / "walk.webp", save_all=True, append_images=frames[1:], lossless=True)
    clear.save(tmp_path / "spell.png", save_all=True, append_images=[frames[3]], disposal=1)
    dataset = read_dataset(tmp_path)
    note = next(note for note in dataset.notes if note.startswith("animations: "))
    assert "walk.webp (4 frames)" in note and "spell.png (2 frames, the first of them empty)" in note
    assert not (dataset.rows[:] == 0).flatten(1).all(1).any()  # no picture is empty
    assert not any(
        "animations" in note for note in read_dataset(tmp_path, DataOptions(all_frames=True)).notes
    )
