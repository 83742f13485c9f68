"""Sentences and formulas for a page: what the code calls sigma_t becomes the letter with its index."""

from __future__ import annotations

import re

from fogcatcher.drawing import html

LETTERS = {
    "x0_hat": "x\u0302<sub>0</sub>",
    "eps_hat": "\u03b5\u0302",
    "x0": "x<sub>0</sub>",
    "x": "x",
    "alpha": "\u03b1",
    "sigma": "\u03c3",
    "eps": "\u03b5",
    "eta": "\u03b7",
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
NAME = re.compile(rf"\b({'|'.join(LETTERS)})(?:_([ts]))?\b")


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
    return f'<div class="formula">{"<br>".join(map(lettered, lines))}</div>\n'
