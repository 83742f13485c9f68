"""The options that sentences of the library name, as flags of the command line."""

from __future__ import annotations

import ast

from fogcatcher.base.errors import Message

OTHER_FLAGS = {
    "classifier": "--classifier-guidance",
    "conditions": "--condition",
    "interval": "--guidance-interval",
    "method_options": "--method-option",
    "n": "-n",
    "network_options": "--network-option",
    "sampler_options": "--sampler-option",
}
"""Parameters whose flag is not their name."""


def in_flags(text: str) -> str:
    """Return a sentence as the command line says it."""
    return text.told(as_flag) if isinstance(text, Message) else text


def as_flag(name: str, value: str = "") -> str:
    """Return what to type for a parameter, and for its value in Python, if one is said."""
    flag = OTHER_FLAGS.get(name) or "--" + name.replace("_", "-")
    if value == "False":
        return flag.replace("--", "--no-", 1)
    return flag if value in ("", "True") else f"{flag} {_as_typed(value)}"


def field_of(name: str) -> str:
    """Return the field of a command that holds a parameter: the name of its flag."""
    return as_flag(name).lstrip("-").replace("-", "_")


def _as_typed(value: str) -> str:
    """'none' without its quotes; (height, width) as 24x16; a number as it is."""
    meant = ast.literal_eval(value)
    if isinstance(meant, tuple):
        height, width = meant
        return f"{width}x{height}"
    return meant if isinstance(meant, str) else value
