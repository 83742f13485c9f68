"""Sentences for a page: what the code calls sigma_t becomes the letter with its index."""

from __future__ import annotations

import re

from fogcatcher.drawing import html
from fogcatcher.drawing.mathml import mathml

LETTERS = {
    "x0_hat": "x\u0302<sub>0</sub>",
    "eps_hat": "\u03b5\u0302",
    "x0": "x<sub>0</sub>",
    "x": "x",
    "alpha_bar": "\u03b1\u0305",
    "beta_tilde": "\u03b2\u0303",
    "alpha": "\u03b1",
    "beta": "\u03b2",
    "sigma": "\u03c3",
    "eps": "\u03b5",
    "eta": "\u03b7",
    "L": "L",
    "h": "h",
    "grad": "\u2207",
    "sqrt": "\u221a",
}
SIGNS = {
    "^2": "\u00b2",
    "&lt;-": "\u2190",
    "+-": "\u00b1",
    " * ": " \u00b7 ",
    " - ": " \u2212 ",
    " -": " \u2212",
    "(-": "(\u2212",
}
NAME = re.compile(rf"\b({'|'.join(LETTERS)})(?:_([tsT01]))?\b")


def lettered(said: str) -> str:
    """Return text, escaped, with the names of the code as letters: "x_s = alpha_s x0_hat + sqrt(c^2 - 1)"."""

    def letter(found: re.Match[str]) -> str:
        return LETTERS[found[1]] + (f"<sub>{found[2]}</sub>" if found[2] else "")

    text = NAME.sub(letter, html.text(said))
    for sign, seen in SIGNS.items():
        text = text.replace(sign, seen)
    return text


def sentence(said: str) -> str:
    return f"<p>{lettered(said)}</p>\n"


def formula(*lines: str) -> str:
    """Formulas below each other, as ``mathml`` reads them."""
    return f'<div class="formula">{"".join(map(mathml, lines))}</div>\n'
