"""What leaves this machine with a model names no folders of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def public_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree of ``config.json`` with only the last name of the data's path."""
    data = {**config["data"], "path": last_name(config["data"]["path"])}
    return {**config, "data": data | ({"folder": ""} if "folder" in data else {})}


def public_conditions(attributes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of ``conditions.json`` with the last name of a text encoder's folder.

    It can be used by that name where such a folder lies; the hash of its weights tells whether it is the one.
    """
    return [{**a, "encoder": last_name(a["encoder"])} if "encoder" in a else dict(a) for a in attributes]


def last_name(path: str) -> str:
    """Return the last name of a path of any system; "" where it has none."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
