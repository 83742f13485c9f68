"""Reading folders, metadata and IDX: what is written is what is read, and mistakes get a sentence."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fogcatcher.data.picture_files import fit_to, read_picture
from fogcatcher.data.reading import read_dataset
from fogcatcher.data.spec import PictureSpec, spec_of, to_model
from fogcatcher.errors import UserError


def picture(seed: int = 0, size: tuple[int, int] = (16, 16), alpha: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rgba = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
    rgba[..., 3] = rng.integers(0, 2, size) * 255 if alpha else 255
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def save(path: Path, rgba: np.ndarray, mode: str = "RGBA") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba, "RGBA").convert(mode).save(path)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    suffix=st.sampled_from(["png", "PNG", "webp", "bmp"]),
)
def test_what_is_written_losslessly_is_what_is_read(tmp_path_factory, seed, height, width, suffix):
    path = tmp_path_factory.mktemp("p") / f"a.{suffix}"
    rgba = picture(seed, (height, width), alpha=suffix != "bmp")
    Image.fromarray(rgba, "RGBA").save(path, lossless=True)
    np.testing.assert_array_equal(read_picture(path), rgba)


def test_colour_under_alpha_0_is_zeroed(tmp_path):
    rgba = np.full((8, 8, 4), 255, np.uint8)
    rgba[2:6, 2:6] = (255, 0, 255, 0)
    Image.fromarray(rgba, "RGBA").save(tmp_path / "a.png")
    assert not read_picture(tmp_path / "a.png")[2:6, 2:6].any()


def test_palettes_with_transparency_keep_both(tmp_path):
    indexed = Image.new("P", (8, 8), 0)
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.putpixel((3, 4), 1)
    indexed.save(tmp_path / "a.png", transparency=0)
    rgba = read_picture(tmp_path / "a.png")
    assert rgba[4, 3].tolist() == [200, 100, 50, 255] and not rgba[0, 0].any()


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257 * 10, 257 * 128, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png")[0, :, 0].tolist() == [0, 10, 128, 255]


def test_exif_rotation_is_applied(tmp_path):
    upright = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to see it upright
    upright.save(tmp_path / "a.png", exif=exif)
    assert read_picture(tmp_path / "a.png").shape == (4, 2, 4)


def test_enlarged_pixel_art_comes_back_exactly():
    small = picture(1)
    for k in (2, 3, 4, 8):
        np.testing.assert_array_equal(fit_to(small.repeat(k, 0).repeat(k, 1), 16, 16), small)


def test_smaller_pictures_are_padded_not_enlarged():
    small = picture(2, (10, 6), alpha=False)
    small[0, 0] = (1, 2, 3, 255)
    fitted = fit_to(small, 16, 16)
    np.testing.assert_array_equal(fitted[3:13, 5:11], small)
    assert (fitted[:3] == (1, 2, 3, 255)).all()
    see_through = picture(3, (10, 6))
    see_through[0, 0] = 0
    assert not fit_to(see_through, 16, 16)[:3].any()


def test_shrinking_keeps_hard_alpha_and_bleeds_no_hidden_colour():
    rgba = np.zeros((30, 30, 4), np.uint8)
    rgba[5:22, 5:22] = (200, 100, 0, 255)
    fitted = fit_to(rgba, 16, 16)
    assert set(np.unique(fitted[..., 3])) == {0, 255}
    inside = fitted[fitted[..., 3] == 255]
    assert np.abs(inside[:, :3].astype(int) - (200, 100, 0)).max() <= 3


def test_sub_folders_are_labels(tmp_path):
    for i in range(3):
        save(tmp_path / "food" / f"{i}.png", picture(i))
        save(tmp_path / "hero" / f"{i}.PNG", picture(10 + i))
    dataset = read_dataset(tmp_path)
    assert dataset.labels == {"label": ["food"] * 3 + ["hero"] * 3}
    expected = np.stack([picture(i) for i in (0, 1, 2, 10, 11, 12)]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(dataset.pictures.numpy(), expected)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_metadata_wins_over_folder_names(tmp_path, form):
    rows = [("a/x.png", "warm", 1), ("b/y.png", "cold", 2), ("a/z.png", None, 3)]
    for i, (name, _, _) in enumerate(rows):
        save(tmp_path / "train" / name, picture(i))
    if form == "jsonl":
        text = "\n".join(json.dumps({"file_name": n, "mood": m, "number": k}) for n, m, k in rows)
    else:
        text = "file_name,mood,number\n" + "\n".join(f"{n},{m or ''},{k}" for n, m, k in rows)
    (tmp_path / "train" / f"metadata.{form}").write_text(text)
    dataset = read_dataset(tmp_path, column="mood")
    table = dict(zip(dataset.names, dataset.labels["mood"], strict=True))
    assert table == {"train/a/x.png": "warm", "train/a/z.png": None, "train/b/y.png": "cold"}
    assert "mood, number" in " ".join(read_dataset(tmp_path).notes)
    with pytest.raises(UserError, match=r"unknown condition column 'mod'.*Did you mean mood"):
        read_dataset(tmp_path, column="mod")


def test_only_the_train_split_is_used(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        rows = [{"file_name": f"{i}.png", "kind": "ab"[i % 2]} for i in range(count)]
        for i in range(count):
            save(tmp_path / split / f"{i}.png", picture(i))
        (tmp_path / split / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = read_dataset(tmp_path)
    assert dataset.names == ["train/0.png", "train/1.png", "train/2.png"] and not dataset.skipped
    assert dataset.labels == {"kind": ["a", "b", "a"]} and "only 'train' is used" in dataset.notes[0]


def test_metadata_may_not_lead_out_of_the_folder(tmp_path):
    save(tmp_path / "in" / "x.png", picture())
    (tmp_path / "in" / "metadata.jsonl").write_text('{"file_name": "../../etc/secret.png"}')
    with pytest.raises(UserError, match="outside the folder"):
        read_dataset(tmp_path / "in")


def test_broken_files_are_skipped_and_named(tmp_path):
    for i in range(5):
        save(tmp_path / f"{i}.png", picture(i))
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / ".hidden.png").write_bytes(whole)
    dataset = read_dataset(tmp_path)
    assert len(dataset) == 5
    assert set(dataset.skipped) == {"cut.png", "empty.png", "text.png"}
    assert "0 bytes" in dataset.skipped["empty.png"]
    assert "not a picture" in dataset.skipped["text.png"]
    assert "broken" in dataset.skipped["cut.png"]


def test_jpeg_gif_bmp_and_webp_are_read(tmp_path):
    flat = np.full((16, 16, 4), (120, 60, 200, 255), np.uint8)
    for suffix in ("jpg", "jpeg", "gif", "bmp", "webp", "png"):
        save(tmp_path / f"a.{suffix}", flat, "RGB")
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((120, 60, 200), (0, 0, 0))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    dataset = read_dataset(tmp_path)
    assert len(dataset) == 7 and dataset.pictures.shape == (7, 3, 16, 16)
    expected = torch.tensor([120, 60, 200]).view(1, 3, 1, 1)
    assert (dataset.pictures.int() - expected).abs().max() <= 4  # JPEG and WebP lose a little


def test_channels_follow_the_content(tmp_path):
    grey = picture(0, alpha=False)
    grey[..., 1:3] = grey[..., :1]
    save(tmp_path / "grey" / "a.png", grey)
    save(tmp_path / "rgb" / "a.png", picture(1, alpha=False))
    save(tmp_path / "rgba" / "a.png", picture(2))
    found = {name: read_dataset(tmp_path / name).pictures.shape[1] for name in ("grey", "rgb", "rgba")}
    assert found == {"grey": 1, "rgb": 3, "rgba": 4}


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
    np.testing.assert_array_equal(dataset.pictures[:, 0].numpy(), pictures)
    assert dataset.labels == {"label": [str(i) for i in range(7)]}
    assert read_dataset(tmp_path, size=(32, 32)).pictures.shape == (7, 1, 32, 32)


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
    assert spec.to_pictures(to_model(every)).equal(every)


def test_generated_alpha_is_hard_where_the_data_was():
    x = torch.linspace(-1.2, 1.2, 2 * 4 * 8 * 8).reshape(2, 4, 8, 8)
    for hard in (True, False):
        pictures = PictureSpec(8, 8, 4, hard, 0.5).to_pictures(x)
        assert (set(pictures[:, 3].unique().tolist()) <= {0, 255}) == hard
        assert not (pictures[:, :3] * (pictures[:, 3:] == 0)).any()


def test_spec_measures_the_data():
    pictures = torch.zeros(10, 4, 8, 12, dtype=torch.uint8)
    pictures[:, :, ::2] = 255
    spec = spec_of(pictures)
    assert (spec.height, spec.width, spec.channels, spec.hard_alpha) == (8, 12, 4, True)
    assert spec.sigma_data == pytest.approx(1.0, abs=1e-3)  # half -1, half 1
    pictures[0, 3, 0, 0] = 7
    assert not spec_of(pictures).hard_alpha
