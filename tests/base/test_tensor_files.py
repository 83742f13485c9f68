"""Files of tensors, whoever wrote them: whole and plain, or a sentence."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fogcatcher.base.tensor_files import LFS, digest_of, file_hash, read_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7)}


def made(path: Path, kind: str) -> Path:
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "pointer":
            path.write_bytes(LFS + b".com/spec/v1\noid sha256:12\nsize 3\n")
        case "huge":
            with open(path, "wb") as file:
                file.truncate(10**12)
        case "short":
            save_file(TENSORS, path)
            path.write_bytes(path.read_bytes()[:-1])
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        *(("pipe", "not a plain file"), ("device", "not a plain file"), ("folder", "not a plain file")),
        *(("pointer", "Git LFS"), ("huge", "larger than"), ("short", "damaged")),
    ],
)
def test_what_is_no_whole_file_is_refused_at_once(kind: str, said: str, tmp_path: Path):
    path = made(tmp_path / "file", kind)
    with pytest.raises(ValueError, match=said) as caught:
        read_tensors(path, 10**6)
    assert "\n" not in str(caught.value)
    if kind in ("pipe", "device", "folder"):
        with pytest.raises(ValueError, match=said):
            file_hash(path)


def test_every_change_is_another_digest():
    told = {"step": "3"}
    whole = digest_of(TENSORS, told)
    changes: list[Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]] = [
        lambda t: {**t, "a": t["a"].reshape(3, 2)},
        lambda t: {**t, "a": t["a"].view(torch.int32)},
        lambda t: {"b": t["b"], "c": t["a"]},
        lambda t: {"a": t["a"]},
        lambda t: {**t, "b": t["b"] ^ 64},
    ]
    digests = {digest_of(change(TENSORS), told) for change in changes} | {digest_of(TENSORS, {"step": "2"})}
    assert len(digests) == 6 and whole not in digests
    assert digest_of(dict(reversed(TENSORS.items())), told) == whole
