"""Trained models on the Hugging Face Hub: sent and fetched by name, "user/name" (extra ``hub``)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from fogcatcher.base.errors import UserError
from fogcatcher.base.read_json import plain_bytes, read_json
from fogcatcher.base.spare_cache import is_unwritable, spare_cache
from fogcatcher.data.hub import PREFIX
from fogcatcher.model.autoencoder_files import BESIDE
from fogcatcher.model.config import CONDITIONS, CONFIG, WEIGHTS, read_config
from fogcatcher.model.privacy import public_conditions, public_config

NEEDED = (WEIGHTS, CONFIG, CONDITIONS)
CARD = "README.md"
MOST_CARD = 10_000_000
PREVIEW = "samples/preview.png"
FRONT_MATTER = "---\nlibrary_name: fogcatcher\npipeline_tag: unconditional-image-generation\n---\n\n"


def push_to_hub(model_folder: Path, repo: str, *, token: str | None = None, private: bool = False) -> str:
    """Send the model of a run to the repository ``repo``, "user/name", and return its address.

    Weights, settings, conditions, the autoencoder of latents, the card and the preview are sent, and nothing
    else of the run; of the paths in them only the last names. Raises UserError where there is no model, or
    the Hub does not take it.
    """
    hub = _library(repo)
    sent = _what_is_sent(Path(model_folder), repo)
    files = [hub.CommitOperationAdd(name, content) for name, content in sent.items()]
    api = hub.HfApi(token=token)
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        # One that was there before stays as it was.
        if private and not api.model_info(repo).private:
            raise UserError(f"{repo} is already there for all to see: make it private on the Hub first.")
        api.create_commit(repo, files, commit_message="A model of fogcatcher")
    except UserError:
        raise
    except Exception as error:  # the library raises its own kinds of many libraries below it
        raise _in_words(hub, error, repo) from error
    return str(address)


def fetch(repo: str, revision: str | None = None) -> Path:
    """Return the folder of a model of the Hub, "user/name", fetched unless this machine has it already.

    Only JSON, the card and safetensors are fetched, so nothing in it can run. Without a network it is what
    was fetched before. Raises UserError where there is no such model.
    """
    hub = _library(repo)
    try:
        folder = _downloaded(hub, repo, revision)
    except Exception as error:  # the library raises its own kinds of many libraries below it
        raise _in_words(hub, error, repo) from error
    for name in NEEDED:
        if not (folder / name).is_file():
            raise UserError(f"{repo} holds no model of fogcatcher: it has no {name}.")
    return folder


def _downloaded(hub: ModuleType, repo: str, revision: str | None) -> Path:
    """Into the usual cache of the library, or where that cannot be written into one for now."""
    wanted = [*NEEDED, *BESIDE, CARD]
    try:
        return Path(hub.snapshot_download(repo, revision=revision, allow_patterns=wanted))
    except OSError as error:
        if not is_unwritable(error):
            raise
    spare = str(spare_cache())
    return Path(hub.snapshot_download(repo, revision=revision, allow_patterns=wanted, cache_dir=spare))


def _library(repo: str) -> ModuleType:
    """Raises UserError when the library is missing, or ``repo`` cannot be a name."""
    try:
        import huggingface_hub as hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError as error:
        raise UserError(
            "the Hub needs the 'huggingface_hub' library: pip install 'fogcatcher[hub]'."
        ) from error
    try:
        hub.utils.validate_repo_id(repo)
    except ValueError as error:
        raise _bad_name(repo) from error
    if repo.count("/") != 1:
        raise _bad_name(repo)
    return hub


def _bad_name(repo: str) -> UserError:
    return UserError(
        f"'{repo}' is no name of a model on the Hub: give user/name, of letters, digits, '-', '_' and '.'."
    )


def _what_is_sent(folder: Path, repo: str) -> Mapping[str, Path | bytes]:
    """Name in the repository -> a file, or what is sent instead of it."""
    read_config(folder)
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} has no {WEIGHTS} yet: train it first, or wait.")
    config = read_json(folder / CONFIG, dict[str, Any])
    conditions = read_json(folder / CONDITIONS, list[dict[str, Any]])
    sent: dict[str, Path | bytes] = {
        WEIGHTS: folder / WEIGHTS,
        CONFIG: _json(public_config(config)),
        CONDITIONS: _json(public_conditions(conditions)),
    }
    if (folder / CARD).is_file():
        try:
            text = plain_bytes(folder / CARD, MOST_CARD).decode(errors="replace")
        except ValueError as error:
            raise UserError(f"{folder / CARD} cannot be sent: {error}.") from error
        sent[CARD] = _card(text, repo).encode()
    return sent | {name: folder / name for name in (*BESIDE, PREVIEW) if (folder / name).is_file()}


def _json(tree: object) -> bytes:
    return (json.dumps(tree, indent=2) + "\n").encode()


def _card(text: str, repo: str) -> str:
    """The card with the name on the Hub where it told how to draw from a folder of this machine."""
    usual = f'fogcatcher.load("{PREFIX}{repo}")'
    text = re.sub(r'fogcatcher\.load\("(?:[^"\\\n]|\\.)*"\)', lambda found: usual, text)
    return text if text.startswith("---") else FRONT_MATTER + text


def _in_words(hub: ModuleType, error: Exception, repo: str) -> UserError:
    kinds = hub.errors
    if isinstance(error, kinds.RevisionNotFoundError):
        return UserError(f"{repo} has no such revision: give a branch, a tag or a commit that it has.")
    if isinstance(error, kinds.RepositoryNotFoundError):
        return UserError(
            f"there is no {repo} on the Hub, or you may not see it: check the name, or log in with a token."
        )
    if isinstance(error, (kinds.LocalEntryNotFoundError, kinds.OfflineModeIsEnabled)):
        return UserError(f"the Hub cannot be reached, and {repo} was not fetched before: go online first.")
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return UserError(
        f"the Hub did not take or give {repo} ({first}): look at the name, the token, the network."
    )
