"""What an ONNX file says of its model, read as if a stranger had written it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fogcatcher.base.read_json import parsed
from fogcatcher.base.typed_json import AnyFinite, Length, Range, typed

Side = Annotated[int, Range(1, 1024)]
Positive = Annotated[float, Range(1e-6, 1e6)]
Names = Annotated[list[str], Length(1, 100_000)]
Few = Annotated[int, Range(1, 1024)]
"""As ``model/config.py`` has the steps of a distilled model."""


@dataclass(frozen=True)
class Pictures:
    """As ``data/pictures/spec.py`` has them."""

    height: Side
    width: Side
    channels: Annotated[int, Range(1, 4)]
    hard_alpha: bool
    sigma_data: Positive


NEEDED: Mapping[str, Mapping[str, Any]] = {
    "category": {"classes": Names},
    "tags": {"tags": Names},
    "text": {"words": Names},
    "number": {"low": AnyFinite, "high": AnyFinite},
    "colour": {},
    "sentence": {},
    "encoded_text": {},
}
"""Type of an attribute -> what encoding it takes, as ``data/conditions/conditions.py`` writes it."""
FIELDS: Mapping[str, Any] = {
    "kind": str,
    "betas": Annotated[list[Annotated[float, Range(0, 1)]], Length(1, 100_000)],
    "trained_steps": Annotated[int, Range(1, 10**6)],
    **dict.fromkeys(("sigma_min", "sigma_max", "beta_min", "beta_max", "shift", "rho"), Positive),
}
"""What a schedule or a grid may hold; which of these it must, ``schedules.py`` says."""


def config_of(text: str) -> dict[str, Any]:
    """Return the config of a model, with "pictures" in it. Raises ValueError where it describes none."""
    config = typed(parsed(text), dict[str, Any], "config")
    if "kind" in config:  # files written before there were other kinds of data say "pictures" themselves
        kind = typed(config.pop("kind"), dict[str, Any], "config.kind")
        config["pictures"] = {name: value for name, value in kind.items() if name != "name"}
    typed(config.get("pictures"), Pictures, "config.pictures")
    if config.get("distilled") is not None:
        few = typed(config["distilled"], dict[str, Any], "config.distilled")
        typed(few.get("steps"), Few, "config.distilled.steps")
    return config


def conditions_of(text: str) -> list[dict[str, Any]]:
    """Return the attributes of a model. Raises ValueError where one of them cannot be asked for."""
    rows = typed(parsed(text), Annotated[list[dict[str, Any]], Length(0, 1000)], "conditions")
    for i, row in enumerate(rows):
        kind = typed(row.get("type"), Literal[*NEEDED], f"conditions[{i}].type")
        for name, hint in {"name": str, **NEEDED[kind]}.items():
            typed(row.get(name), hint, f"conditions[{i}].{name}")
        if kind == "number" and not row["low"] < row["high"]:
            raise ValueError(f"conditions[{i}] goes from a number to a smaller one")
    return rows


def choice_of(text: str, what: str) -> dict[str, Any]:
    """Return the kind and the fields of a schedule or a grid. Raises ValueError for what they cannot hold."""
    fields = typed(parsed(text), dict[str, Any], what)
    for name, value in fields.items():
        typed(value, FIELDS.get(name, AnyFinite), f"{what}.{name}")
    return fields
