"""How pictures lie in one file: the forms of a sheet, as recipes keep them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from fogcatcher.base.typed_json import typed, whole
from fogcatcher.data.pictures.sheets import PREVIEW_COLUMNS
from fogcatcher.drawing.atlas import Atlas

MOST_PICTURES = 10_000
MOST_REPEATS = 10


@dataclass(frozen=True)
class Columns:
    """Rows of so many enlarged pictures, with gaps and names."""

    columns: int
    """0 where an older version did not say."""


@dataclass(frozen=True)
class Laid:
    """Tiles in so many columns, each repeated both ways."""

    columns: int
    repeats: int


@dataclass(frozen=True)
class PreviewRow:
    """One row of the preview of a run: the only one that the recipe is about."""

    due: tuple[int, ...]
    """The steps of all rows."""
    row: int
    named: bool = False
    """Whether the columns bear the names of what they show; earlier versions wrote none."""


SheetForm = Columns | Laid | Atlas | PreviewRow


def form_to_json(form: SheetForm) -> dict[str, object]:
    """Return a form as JSON, from which ``form_from_json`` makes it again."""
    if isinstance(form, Atlas):
        return {"atlas": True, **asdict(form)}
    if isinstance(form, PreviewRow):
        tree = {"columns": PREVIEW_COLUMNS, **asdict(form)}
        return tree if form.named else {name: value for name, value in tree.items() if name != "named"}
    return asdict(form)


def form_from_json(tree: object) -> SheetForm:
    """Raises ValueError for what no version wrote."""
    if not isinstance(tree, dict):
        raise ValueError("'sheet' is no object")
    columns = whole(tree, "columns", 0 if len(tree) == 1 else 1, MOST_PICTURES)
    if "due" in tree:
        due = typed(tree["due"], tuple[int, ...], "due")
        named = typed(tree.get("named", False), bool, "named")
        return PreviewRow(due, whole(tree, "row", 0, len(due) - 1), named)
    if "repeats" in tree:
        return Laid(columns, whole(tree, "repeats", 1, MOST_REPEATS))
    if tree.get("atlas"):
        return Atlas(columns, typed(tree.get("power_of_two", False), bool, "power_of_two"))
    return Columns(columns)
