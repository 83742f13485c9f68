"""Formulas as MathML, which browsers typeset, from how the code writes them: "x_t = alpha x0 + sigma eps".

name_hat_t      a letter with its accent (hat, bar, tilde) and its index; ``x0`` is x with the index 0
a / b           a fraction of the one factor before and the one after; {a b} is one factor, without brackets
a^2, a^{s t}    a power
sqrt(a)         a root
"words"         words
sum_t           a sum over t
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fogcatcher.drawing import html

GREEK = {
    "alpha": "\u03b1",
    "beta": "\u03b2",
    "epsilon": "\u03b5",
    "eps": "\u03b5",
    "eta": "\u03b7",
    "lambda": "\u03bb",
    "mu": "\u03bc",
    "sigma": "\u03c3",
    "grad": "\u2207",
}
ACCENTS = {"hat": "^", "bar": "\u02c9", "tilde": "~"}
SIGNS = {
    "-": "\u2212",
    "*": "\u00b7",
    "<-": "\u2190",
    "+-": "\u00b1",
    "<=": "\u2264",
    ">=": "\u2265",
    "||": "\u2225",
    "...": "\u2026",
}
_TOKEN = re.compile(r'"[^"]*"|[A-Za-z]\w*|\d+(?:\.\d+)?|<-|\+-|<=|>=|\|\||\.\.\.|\s{3,}|\S')
_SPACE = '<mspace width="1.2em"></mspace>'


def mathml(formula: str) -> str:
    """Return one formula as an element ``math`` on a line of its own.

    Raises ValueError for brackets that do not match.
    """
    return f'<div><math displaystyle="true">{"".join(_Reader(formula).row(""))}</math></div>'


class _Reader:
    """Reads one formula from left to right."""

    def __init__(self, formula: str) -> None:
        self.formula, self.tokens = formula, [m[0] for m in _TOKEN.finditer(formula)]

    def row(self, end: str) -> Iterator[str]:
        """Yield the factors up to the bracket ``end``, which is taken too."""
        while True:
            if not self.tokens:
                if end:
                    raise ValueError(f"'{self.formula}' lacks a {end}")
                return
            if self.tokens[0] == end:
                self.tokens.pop(0)
                return
            factor = self.factor()
            if self.tokens[:1] == ["/"]:
                self.tokens.pop(0)
                factor = f"<mfrac>{factor}{self.factor()}</mfrac>"
            yield factor

    def factor(self) -> str:
        """One factor, with its power."""
        if not self.tokens:
            raise ValueError(f"'{self.formula}' ends too early")
        made = self.single(self.tokens.pop(0))
        if self.tokens[:1] == ["^"]:
            self.tokens.pop(0)
            made = _raised(made, self.factor())
        return made

    def single(self, token: str) -> str:
        if token == "{":
            return f"<mrow>{''.join(self.row('}'))}</mrow>"
        if token == "(":
            return f"<mrow><mo>(</mo><mrow>{''.join(self.row(')'))}</mrow><mo>)</mo></mrow>"
        if token == "sqrt" and self.tokens[:1] == ["("]:
            self.tokens.pop(0)
            return f"<msqrt>{''.join(self.row(')'))}</msqrt>"
        if token in ("}", ")"):
            raise ValueError(f"'{self.formula}' has a {token} too many")
        if token.isspace():
            return _SPACE
        if token.startswith('"'):
            return f"<mtext>&nbsp;{html.text(token[1:-1])}&nbsp;</mtext>"
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        return _name(token) if token[0].isalpha() else f"<mo>{html.text(SIGNS.get(token, token))}</mo>"


def _name(name: str) -> str:
    base, *rest = name.split("_")
    if base == "sum":
        return f"<munder><mo>\u2211</mo>{_index(rest[0])}</munder>" if rest else "<mo>\u2211</mo>"
    letter = re.fullmatch(r"([A-Za-z])(\d+)", base)  # x0: x with the index 0
    text, index = (letter[1], [letter[2]]) if letter else (GREEK.get(base, base), [])
    made = f"<mi>{text}</mi>"
    for part in rest:
        if part in ACCENTS:
            made = f'<mover accent="true">{made}<mo>{ACCENTS[part]}</mo></mover>'
        else:
            index.append(part)
    if base in ("log", "max", "min"):
        made = f'<mrow>{made}<mspace width="0.17em"></mspace></mrow>'
    return f"<msub>{made}<mrow>{''.join(map(_index, index))}</mrow></msub>" if index else made


def _index(part: str) -> str:
    return f"<mn>{part}</mn>" if part.isdigit() else f"<mi>{GREEK.get(part, part)}</mi>"


def _raised(base: str, power: str) -> str:
    """A letter that has an index keeps it below the power."""
    if base.startswith("<msub>") and base.endswith("</msub>"):
        return f"<msubsup>{base[6:-7]}{power}</msubsup>"
    return f"<msup>{base}{power}</msup>"
