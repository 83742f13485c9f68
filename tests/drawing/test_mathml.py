"""Formulas are typeset as they are meant: elements known from MathML itself."""

import re
from xml.etree import ElementTree

import pytest

from fogcatcher.drawing.mathml import mathml


def inside(formula: str) -> str:
    made = mathml(formula)
    found = re.fullmatch(r'<div><math displaystyle="true">(.*)</math></div>', made)
    assert found
    ElementTree.fromstring(made.replace("&nbsp;", " "))
    return found[1]


X0 = "<msub><mi>x</mi><mrow><mn>0</mn></mrow></msub>"


@pytest.mark.parametrize(
    ("formula", "made"),
    [
        ("x0", X0),
        ("x0_hat", X0.replace("<mi>x</mi>", '<mover accent="true"><mi>x</mi><mo>^</mo></mover>')),
        ("sigma_t", "<msub><mi>\u03c3</mi><mrow><mi>t</mi></mrow></msub>"),
        ("alpha_t^2", "<msubsup><mi>\u03b1</mi><mrow><mi>t</mi></mrow><mn>2</mn></msubsup>"),
        ("b^2", "<msup><mi>b</mi><mn>2</mn></msup>"),
        ("1 / 2", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"),
        ("{1 - b} / 2", "<mfrac><mrow><mn>1</mn><mo>\u2212</mo><mi>b</mi></mrow><mn>2</mn></mfrac>"),
        ("a / b c", "<mfrac><mi>a</mi><mi>b</mi></mfrac><mi>c</mi>"),
        ("sqrt(b)", "<msqrt><mi>b</mi></msqrt>"),
        ("(-b)", "<mrow><mo>(</mo><mrow><mo>\u2212</mo><mi>b</mi></mrow><mo>)</mo></mrow>"),
        ('"a < b"', "<mtext>&nbsp;a &lt; b&nbsp;</mtext>"),
        ("s < t", "<mi>s</mi><mo>&lt;</mo><mi>t</mi>"),
        ("sum_t a", "<munder><mo>\u2211</mo><mi>t</mi></munder><mi>a</mi>"),
        ("beta_tilde", '<mover accent="true"><mi>\u03b2</mi><mo>~</mo></mover>'),
    ],
)
def test_each_form(formula: str, made: str):
    assert inside(formula) == made


@pytest.mark.parametrize("formula", ["(a", "a)", "{a / b", "a /", "sqrt(b", "a^"])
def test_what_does_not_close_is_refused(formula: str):
    with pytest.raises(ValueError):
        mathml(formula)
