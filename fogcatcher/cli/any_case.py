"""Options with a few choices take them in capitals or not."""

from __future__ import annotations

from typing import Literal, get_args, get_origin

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from fogcatcher.base.errors import UserError, known_name

REGISTRY = ConstructorRegistry()


@REGISTRY.primitive_rule
def _choices(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[str] | None:
    """The rule for ``Literal`` of texts."""
    choices = get_args(info.type)
    if get_origin(info.type) is not Literal or not all(isinstance(choice, str) for choice in choices):
        return None

    def chosen(words: list[str]) -> str:
        try:
            return known_name("choice", words[0], choices)
        except UserError as error:
            raise ValueError(str(error).rstrip(".")) from error

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(choices) + "}",
        instance_from_str=chosen,
        is_instance=lambda instance: instance in choices,
        str_from_instance=lambda instance: [instance],
    )
