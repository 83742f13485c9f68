"""Texts as vectors, by a sentence-embedding model that lies on this machine (extra ``text``)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.tensor_files import file_hash


def embed(folder: str, texts: Sequence[str]) -> Tensor:
    """Return one vector of length 1 per text, (N, width): the mean over the words of the model's last layer.

    ``folder`` holds a transformer as Hugging Face saves it (config.json, model.safetensors, the tokenizer).
    Nothing is fetched, and no code of the folder is run. Raises UserError where it cannot be used.
    """
    tokenizer, model = _load(folder)
    vectors = []
    for text in texts:
        tokens = tokenizer([text], return_tensors="pt", truncation=True, max_length=128)
        with torch.no_grad():
            words = model(**tokens).last_hidden_state
        present = tokens["attention_mask"][..., None].to(words)
        mean = (words * present).sum(1) / present.sum(1)
        vectors.append(torch.nn.functional.normalize(mean, dim=1)[0].float())
    return torch.stack(vectors)


def width(folder: str) -> int:
    """Return the length of the vectors."""
    return int(_load(folder)[1].config.hidden_size)


def fingerprint(folder: str) -> str:
    """Return the start of the hash of the model's weights. Raises UserError where there are none."""
    weights = Path(folder) / "model.safetensors"
    if not weights.is_file():
        raise UserError(f"{folder} is no text encoder: it has no model.safetensors.")
    return file_hash(weights)


@lru_cache(maxsize=1)
def _load(folder: str) -> tuple[Any, Any]:
    fingerprint(folder)
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise UserError(
            "a text encoder needs the 'transformers' library: pip install 'fogcatcher[text]'."
        ) from error
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **here)
        return tokenizer, AutoModel.from_pretrained(folder, use_safetensors=True, **here).eval()
    except Exception as error:  # the library raises many kinds
        said = in_one_line(error)
        raise UserError(f"{folder} cannot be used as a text encoder ({said}).") from error
