"""The texts below the fields of a record."""

from dataclasses import dataclass

from fogcatcher.base.field_docs import field_docs


@dataclass
class Loaf:
    """Bread."""

    flour: float = 1.0
    """Kilograms, of
    any kind."""
    salt: float = 0.0
    water: float = 0.6
    """Litres."""
    "not this one"


def test_each_field_has_the_text_right_below_it_on_one_line():
    assert field_docs(Loaf) == {"flour": "Kilograms, of any kind.", "water": "Litres."}
