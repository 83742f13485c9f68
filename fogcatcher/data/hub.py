"""Data sets of the Hugging Face ``datasets`` library: from its folders, or by name (extra ``hub``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fogcatcher.base.errors import UserError
from fogcatcher.base.spare_cache import is_unwritable, spare_cache
from fogcatcher.data.cells import cleaned
from fogcatcher.data.pictures.picture_files import Unreadable
from fogcatcher.data.values import PREFIX, Value

_PICTURE_NAMES = ("image", "img", "picture")


@dataclass(frozen=True)
class HubRows:
    """A table whose one column holds encoded pictures."""

    count: int
    content: Callable[[int], bytes]
    """Row -> the bytes of its picture. Raises Unreadable where there are none."""
    columns: dict[str, list[Value]]
    fingerprint: str
    note: str


def is_saved_dataset(folder: Path) -> bool:
    """Whether ``Dataset.save_to_disk`` wrote this folder, or it holds Parquet files and nothing else."""
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        return True
    visible = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")]
    return any(p.suffix == ".parquet" for p in visible) and all(
        p.suffix in (".parquet", ".json", ".md", ".txt") for p in visible
    )


def read_hub(where: str) -> HubRows:
    """Return the rows of a saved folder, or of a name, "hub:NAME" or "hub:NAME:SPLIT" (default: train).

    Only a name may fetch anything. Raises UserError when the extra is missing, the name is unknown, or no
    column holds pictures.
    """
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            "reading this needs the 'datasets' library: pip install 'fogcatcher[hub]'."
        ) from error
    name, _, split = (
        where.removeprefix(PREFIX).partition(":") if where.startswith(PREFIX) else (where, "", "")
    )
    try:
        if not where.startswith(PREFIX):
            dataset = _open_folder(datasets, Path(where))
        else:
            dataset = _loaded(datasets, name)
    except Exception as error:  # the library raises its own kinds of many libraries below it
        raise UserError(f"the data set {name} cannot be read ({_first_line(error)}).") from error
    others = ""
    if isinstance(dataset, dict):
        split = split or ("train" if "train" in dataset else next(iter(dataset)))
        if split not in dataset:
            raise UserError(f"{name} has no split '{split}'; it has {', '.join(dataset)}.")
        others = "".join(f", not {other}" for other in dataset if other != split)
        dataset = dataset[split]
    return _rows(datasets, dataset, f"{name}{f', split {split}{others}' if split else ''}")


def _open_folder(datasets: ModuleType, folder: Path) -> Any:  # noqa: ANN401
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        return datasets.load_from_disk(str(folder))
    parquet = sorted(str(path) for path in folder.rglob("*.parquet"))
    train = [path for path in parquet if "train" in Path(path).name or "train" in Path(path).parts]
    return _loaded(datasets, "parquet", data_files=train or parquet, split="train")


def _loaded(datasets: ModuleType, name: str, **how: Any) -> Any:  # noqa: ANN401
    """By the usual cache of the library, or where that cannot be written by one for now."""
    try:
        return datasets.load_dataset(name, **how)
    except OSError as error:
        if not is_unwritable(error):
            raise
    return datasets.load_dataset(name, **how, cache_dir=str(spare_cache()))


def _rows(datasets: ModuleType, dataset: Any, said: str) -> HubRows:  # noqa: ANN401
    features = dataset.features
    pictures = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    if not pictures:
        # Parquet files written by other tools keep pictures as {"bytes": ..., "path": ...}.
        pictures = [name for name in features if name in _PICTURE_NAMES]
        if not pictures:
            raise UserError(f"{said}: no column holds pictures; the columns are {', '.join(features)}.")
    column = next((name for name in _PICTURE_NAMES if name in pictures), pictures[0])
    raw = dataset.cast_column(column, datasets.Image(decode=False))
    columns: dict[str, list[Value]] = {}
    for name, feature in features.items():
        if name not in pictures:
            values = list(dataset[name])
            named = isinstance(feature, datasets.ClassLabel)
            columns[name] = [
                _value((feature.int2str(v) if v >= 0 else None) if named and v is not None else v)
                for v in values
            ]

    def content(number: int) -> bytes:
        cell = raw[number][column] or {}
        if cell.get("bytes"):
            return cell["bytes"]
        raise Unreadable(
            "holds no picture in its row" if not cell.get("path") else "names a file outside the table"
        )

    unused = (
        f"; not used: {', '.join(name for name in pictures if name != column)}" if len(pictures) > 1 else ""
    )
    return HubRows(
        len(raw), content, columns, str(raw._fingerprint), f"Hugging Face data set: {said}{unused}"
    )


def _value(value: object) -> Value:
    value = cleaned(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return list(value) if isinstance(value, (list, tuple)) else json.dumps(value, default=str)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
