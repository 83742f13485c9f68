"""A small language to choose rows: ``view == "front" and not shiny``; it is walked, never run as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.base.parsing import PARSING
from fogcatcher.data.values import Value

Test = Callable[[Mapping[str, Value]], object]
"""A row of columns -> the value of the expression for it."""

_LONGEST = 1000
_ORDERED: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


def parse(text: str, columns: list[str]) -> Test:
    """Return the test that an expression says.

    It knows column names (a name with spaces in backquotes), words in quotes, numbers, true, false, none,
    lists, == != < <= > >= in, not in, and, or, not, and brackets. A column alone is true where its value is
    neither missing, nor empty, 0, "no", "false" or "0". A number compares with text that is a number.
    Raises UserError for anything else, with the place.
    """
    if len(text) > _LONGEST:
        raise UserError(
            Message("{@where} has {length} characters; {most} are the most.", length=len(text), most=_LONGEST)
        )
    plain, names = _without_backquotes(text)
    try:
        with PARSING:
            tree = ast.parse(plain.strip(), mode="eval")
        return _test(tree.body, text, {**{column: column for column in columns}, **names}, columns)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UserError(
            Message(
                "{@where} '{text}' cannot be understood ({reason}); "
                'write it like: kind == "food" and size > 3 and not shiny.',
                text=text,
                reason=reason,
            )
        ) from error


def _without_backquotes(text: str) -> tuple[str, dict[str, str]]:
    """Replace `a name` by a plain one that stands for it."""
    parts, names = text.split("`"), {}
    for i in range(1, len(parts) - 1, 2):
        names[f"_column_{i}"] = parts[i]
        parts[i] = f"_column_{i}"
    return ("".join(parts) if len(parts) % 2 else text), names


def _test(node: ast.expr, text: str, names: Mapping[str, str], columns: list[str]) -> Test:
    def of(part: ast.expr) -> Test:
        return _test(part, text, names, columns)

    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            parts = [of(value) for value in values]
            return lambda row: all(_is_true(part(row)) for part in parts)
        case ast.BoolOp(values=values):
            parts = [of(value) for value in values]
            return lambda row: any(_is_true(part(row)) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = of(operand)
            return lambda row: not _is_true(inner(row))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return lambda row: -number
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [of(left), *(of(side) for side in comparators)]
            pairs = list(zip(ops, sides, sides[1:], strict=False))
            return lambda row: all(_compare(op, a(row), b(row)) for op, a, b in pairs)
        case ast.Name(id=name) if name in names:
            column = names[name]
            if column not in columns:
                raise unknown_name("column", column, columns, about="where")
            return lambda row: row.get(column)
        case ast.Name(id=name) if name.lower() in ("true", "false", "none"):
            constant = {"true": True, "false": False, "none": None}[name.lower()]
            return lambda row: constant
        case ast.Name(id=name):
            raise unknown_name("column", name, columns, about="where")
        case ast.Constant(value=str() | int() | float() | bool() | None as constant):
            return lambda row: constant
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            items = [of(element) for element in elements]
            return lambda row: [item(row) for item in items]
    raise ValueError(f"'{ast.unparse(node)}' is not part of the language")


def _compare(op: ast.cmpop, a: object, b: object) -> bool:
    if isinstance(op, (ast.In, ast.NotIn)):
        inside = str(a) in b if isinstance(b, str) else any(_equal(a, item) for item in _list(b))
        return inside == isinstance(op, ast.In)
    if isinstance(op, (ast.Eq, ast.Is)):
        return _equal(a, b)
    if isinstance(op, (ast.NotEq, ast.IsNot)):
        return not _equal(a, b)
    x, y = _number(a), _number(b)
    return x is not None and y is not None and _ORDERED[type(op)](x, y)


def _equal(a: object, b: object) -> bool:
    """Text from a CSV file may stand for a number or for true and false."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is not None and b is not None and _is_true(a) == _is_true(b)
    x, y = _number(a), _number(b)
    return x == y if x is not None and y is not None else a == b


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _number(value: object) -> float | None:
    try:
        return None if value is None or isinstance(value, list) else float(str(value))
    except ValueError:
        return None


def _is_true(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "no", "false", "none")
    return bool(value)
