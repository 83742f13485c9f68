"""Texts as vectors, by a text encoder that lies on this machine and learns nothing more (extra ``text``)."""

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

KEPT_TEXTS = 512
"""So many texts are remembered with their vectors: a sheet asks for the same one many times."""
WITHOUT_PICTURES = {"clip": "CLIPTextModel", "clip_text_model": "CLIPTextModel", "t5": "T5EncoderModel"}
"""Type of a model -> the class of transformers that is the part of it that reads texts."""


def embed(folder: str, texts: Sequence[str]) -> Tensor:
    """Return one vector of length 1 per text, (N, width): the mean over the words of the model's last layer.

    ``folder`` holds a transformer as Hugging Face saves it (config.json, model.safetensors, the tokenizer).
    Nothing is fetched, and no code of the folder is run. Raises UserError where it cannot be used.
    """
    means = torch.stack([each_token(folder, text, 128).mean(0) for text in texts])
    return torch.nn.functional.normalize(means, dim=1)


@lru_cache(maxsize=KEPT_TEXTS)
def each_token(folder: str, text: str, most: int, padded: bool = False) -> Tensor:
    """Return the model's last layer at each token of a text, also those around it: (L, width).

    L is at most ``most``; of texts ``padded`` it is ``most``, and the tokens that fill them up are read like
    the others. Raises as ``embed``.
    """
    tokenizer, model = _load(folder)
    filled = "max_length" if padded else "do_not_pad"
    found = tokenizer([text], return_tensors="pt", truncation=True, max_length=most, padding=filled)
    ids = found["input_ids"]
    mask = None if padded else found["attention_mask"]
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask).last_hidden_state[0].float()


def tokens(folder: str, text: str) -> list[int]:
    """Return the numbers of all tokens of a text."""
    return _load(folder)[0]([text])["input_ids"][0]


def pieces(folder: str, text: str, most: int, padded: bool = False) -> list[str]:
    """Return what the tokens that ``each_token`` reads stand for, as the tokenizer writes them."""
    tokenizer, filled = _load(folder)[0], "max_length" if padded else "do_not_pad"
    ids = tokenizer([text], truncation=True, max_length=most, padding=filled)["input_ids"][0]
    return [str(piece) for piece in tokenizer.convert_ids_to_tokens(ids)]


def width(folder: str) -> int:
    """Return the length of the vectors."""
    return int(_load(folder)[1].config.hidden_size)


def fingerprint(folder: str) -> str:
    """Return the start of the hash of the model's weights. Raises UserError where there are none."""
    weights = Path(folder) / "model.safetensors"
    if not weights.is_file():
        raise UserError(f"{folder} is no text encoder: it has no model.safetensors.")
    facts = weights.stat()
    return _hash_of(weights, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _hash_of(weights: Path, changed: int, size: int) -> str:
    """Of the file as it was when it had this date and size: large files are read once, not for every text."""
    return file_hash(weights)


@lru_cache(maxsize=1)
def _load(folder: str) -> tuple[Any, Any]:
    fingerprint(folder)
    try:
        import transformers
    except ImportError as error:
        raise UserError(
            "a text encoder needs the 'transformers' library: pip install 'fogcatcher[text]'."
        ) from error
    transformers.logging.disable_progress_bar()  # it reads a file, and has nothing to say
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        beside = Path(folder).parent / "tokenizer"  # as pipelines of diffusers have it
        apart = beside.is_dir() and not any(Path(folder).glob("*token*"))
        tokenizer = transformers.AutoTokenizer.from_pretrained(beside if apart else folder, **here)
        kind = transformers.AutoConfig.from_pretrained(folder, **here).model_type
        reader = getattr(transformers, WITHOUT_PICTURES.get(kind, "AutoModel"))
        return tokenizer, reader.from_pretrained(folder, use_safetensors=True, **here).eval()
    except Exception as error:  # the library raises many kinds
        said = in_one_line(error)
        raise UserError(f"{folder} cannot be used as a text encoder ({said}).") from error
