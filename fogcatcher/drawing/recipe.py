"""The recipe of a picture, and of a file with pictures: written into every PNG, and read back.

A recipe may be a stranger's: its types and sizes are checked, and no path in it is ever used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.numbers import Seed
from fogcatcher.base.typed_json import LARGEST_NUMBER, needed, typed, typed_fields, whole
from fogcatcher.data.conditions.conditions import Wish
from fogcatcher.data.pictures.sheets import RECIPE_KEY, read_recipe
from fogcatcher.drawing.finishing import Finish
from fogcatcher.drawing.settings import OF_THE_SAME_RUN, Settings
from fogcatcher.drawing.sheet_forms import MOST_PICTURES, Columns, SheetForm, form_from_json, form_to_json

FORM = 2
"""The form that this version writes. Form 1, of before there were numbers, is the same but for them."""
MOST_IN_BATCH = 256
GIVEN = "given"
"""What a recipe says of its noise in the place of a seed."""
DEEPEST = 8
LONGEST_TEXT = 10_000
LONGEST_PNG = 4_000_000
"""In base64: the pictures that an edit started from."""


@dataclass(frozen=True)
class PictureRecipe:
    """How one picture was drawn: enough to draw it again."""

    seed: int
    condition: Mapping[str, Wish]
    settings: Settings
    model: str
    """Hash of the weights."""
    version: str = "unknown"
    """Of this program."""
    computed_by: str = ""
    """What the last bits depend on; "" where an older version did not say."""
    batch: tuple[int, int] = (0, 1)
    """(place in the batch, size of the batch)"""
    name: str = ""
    """What the folder of the model was called."""
    ema: float | None = None
    """Relative length of the average, where it was not the usual one."""
    weaker: str | None = None
    """Hash of the weaker model that guided."""
    classifier: str | None = None
    """Hash of the classifier that guided."""
    edit: Mapping[str, object] | None = None
    """What was done to a picture instead of drawing a new one, as ``edit_from_json`` reads it."""
    step: int | None = None
    """Of the run, where the picture is one of its previews."""

    noise_given: bool = False
    """Whether it started from noise that somebody gave, so that the seed does not say all."""

    def to_json(self) -> dict[str, object]:
        start = {"noise": GIVEN} if self.noise_given else {"seed": self.seed}
        made_by = {"weaker": self.weaker, "classifier": self.classifier, "name": self.name, "ema": self.ema}
        return {
            "recipe": FORM,
            "fogcatcher": self.version,
            "model": self.model,
            **{key: value for key, value in made_by.items() if value not in (None, "")},
            "computed_by": self.computed_by,
            **self.settings.to_recipe(),
            **start,
            "condition": dict(self.condition),
            "batch": list(self.batch),
            **({} if self.edit is None else {"edit": self.edit}),
            **({} if self.step is None else {"step": self.step}),
        }

    @staticmethod
    def from_json(tree: object) -> PictureRecipe:
        """Raises ValueError for what no version wrote. Keys that mean nothing here are passed over."""
        tree = _of_a_known_form(tree, "a picture")
        place, size = typed(tree.get("batch", [0, 1]), tuple[int, int], "batch")
        if not 0 <= place < size <= MOST_IN_BATCH:
            raise ValueError(f"'batch' is no place in a batch of at most {MOST_IN_BATCH}")
        given = tree.get("noise") == GIVEN
        return PictureRecipe(
            model=_hash(needed(tree, "model"), "model"),
            settings=_settings(tree),
            seed=0 if given else typed(needed(tree, "seed"), Seed, "seed"),
            noise_given=given,
            condition=typed(needed(tree, "condition"), Mapping[str, Wish], "condition"),
            version=typed(tree.get("fogcatcher", "unknown"), str, "fogcatcher"),
            computed_by=typed(tree.get("computed_by", ""), str, "computed_by"),
            batch=(place, size),
            name=typed(tree.get("name", ""), str, "name"),
            ema=typed(tree.get("ema"), float | None, "ema"),
            weaker=_hash(tree["weaker"], "weaker") if "weaker" in tree else None,
            classifier=_hash(tree["classifier"], "classifier") if "classifier" in tree else None,
            edit=typed(tree.get("edit"), Mapping[str, object] | None, "edit"),
            step=whole(tree, "step", 0, 2**63 - 1) if "step" in tree else None,
        )


@dataclass(frozen=True)
class FileRecipe:
    """How all that a PNG shows was made."""

    pictures: Sequence[PictureRecipe]
    finish: Finish = field(default_factory=Finish)
    sheet: SheetForm | None = None
    """How the pictures lie in the file; None for a single one."""

    def to_json(self) -> dict[str, object]:
        finish = {} if self.finish == Finish() else {"finish": self.finish.to_recipe()}
        if self.sheet is None:
            return {**self.pictures[0].to_json(), **finish}
        step = self.pictures[0].step
        return {
            "recipe": FORM,
            **({} if step is None else {"step": step}),
            "pictures": [picture.to_json() for picture in self.pictures],
            "sheet": form_to_json(self.sheet),
            **finish,
        }

    @staticmethod
    def from_json(tree: object) -> FileRecipe:
        """Raises ValueError for what no version wrote."""
        tree = _of_a_known_form(tree, "the recipe")
        finish = typed(tree.get("finish", {}), Finish, "finish")
        if "pictures" not in tree:
            return FileRecipe([PictureRecipe.from_json(tree)], finish)
        pictures = tree["pictures"]
        if not isinstance(pictures, list) or not 1 <= len(pictures) <= MOST_PICTURES:
            raise ValueError(f"'pictures' is no list of 1 to {MOST_PICTURES:,}")
        form = form_from_json(tree["sheet"]) if "sheet" in tree else Columns(0)
        return FileRecipe([PictureRecipe.from_json(row) for row in pictures], finish, form)


def _of_a_known_form(tree: object, what: str) -> Mapping[str, object]:
    if not isinstance(tree, dict):
        raise ValueError(f"{what} is no object")
    if whole({"recipe": 1, **tree}, "recipe", 1, 2**63 - 1) > FORM:
        raise ValueError(f"it has form {tree['recipe']}, which a later version of this program wrote")
    return tree


def _settings(tree: Mapping[str, object]) -> Settings:
    """The fields of ``Settings`` stand among the others. The first version said ``clip`` for ``limit``."""
    tree = {"limit": "none" if tree.get("clip") is False else "clip", **tree}
    for name, hint in (("sampler", str), ("steps", int), ("grid", str)):  # what every version said
        typed(needed(tree, name), hint, name)
    return typed_fields(Settings, {f.name: tree[f.name] for f in fields(Settings) if f.name in tree})


def _hash(value: object, name: str) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{12}|unsaved", value):
        raise ValueError(f"'{name}' is no hash of weights")
    return value


# --- files, also those of strangers -------------------------------------------------------------


def read_file_recipe(path: Path) -> FileRecipe:
    """Raises UserError when the file is no PNG, or its recipe is missing, cannot be right, or asks for what
    cannot be drawn again."""
    tree = _read_tree(path)
    try:
        _check_plain(tree)
        recipe = FileRecipe.from_json(tree)
        for picture in recipe.pictures:
            _check_repeatable(picture)
        return recipe
    except (ValueError, TypeError) as error:
        said = Message("the recipe in {path} cannot be used: {reason}.", path=path, reason=_reason(error))
        raise UserError(said) from error


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Message) else str(error)


def _read_tree(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        raise UserError(f"there is no file {path}: check the spelling, or give the full path.")
    with open(path, "rb") as file:
        head = file.read(8)
    if head != b"\x89PNG\r\n\x1a\n":
        raise UserError(f"{path} is no PNG, so it carries no recipe: give a picture as the program wrote it.")
    tree = read_recipe(path)
    if tree is None:
        raise UserError(
            Message(
                "{path} carries no recipe: it was not drawn by this program, was written with "
                "{@metadata:False}, or another program took the text out.",
                path=path,
            )
        )
    if not {"seed", "noise", "pictures"} & set(tree):
        raise UserError(f"the recipe in {path} ('{RECIPE_KEY}') is not that of a drawn picture.")
    return tree


def _check_repeatable(picture: PictureRecipe) -> None:
    if picture.noise_given:
        raise ValueError("it was drawn from noise that was given in Python, which no recipe holds")
    led_by = picture.settings.steering.guide_with
    if led_by is not None and not re.fullmatch(OF_THE_SAME_RUN, led_by):
        raise ValueError(
            Message("it was guided by another run, {run!r}: draw it again with {@guide_with}", run=led_by)
        )


def _check_plain(value: object, depth: int = 0) -> None:
    """Raises ValueError unless numbers are of a usual size, and texts short and printable."""
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        for key, entry in value.items():
            _check_plain(key, depth + 1)
            is_png = key == "png" and isinstance(entry, str) and len(entry) <= LONGEST_PNG
            if not (is_png and re.fullmatch(r"[A-Za-z0-9+/=]*", entry)):
                _check_plain(entry, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            _check_plain(entry, depth + 1)
    elif isinstance(value, str):
        # What is not printable could drive the terminal that an error is shown on.
        if len(value) > LONGEST_TEXT or not re.sub(r"[\n\t]", "", value).isprintable():
            raise ValueError("a text in it is too long, or not printable")
    elif isinstance(value, float) and not (math.isfinite(value) and abs(value) <= LARGEST_NUMBER):
        raise ValueError("a number in it is too large, or none")
