"""Hand-chosen colour ramps: four tones a material, from outline to highlight.

Shadows lean to blue and purple and highlights to yellow, which is what keeps
a small picture lively with few colours.
"""

from __future__ import annotations

Rgb = tuple[int, int, int]
Ramp = tuple[Rgb, Rgb, Rgb, Rgb]


def _ramp(text: str) -> Ramp:
    """Four hex colours (outline, shadow, base, light) as RGB triples in 0..255."""
    outline, shadow, base, light = (
        (int(word[0:2], 16), int(word[2:4], 16), int(word[4:6], 16)) for word in text.split()
    )
    return outline, shadow, base, light


MAIN: dict[str, Ramp] = {
    "red": _ramp("4a1230 a3233c d9413f f58a5b"),
    "orange": _ramp("5a2018 b8501f ea822c fcc060"),
    "gold": _ramp("553012 b57c1e e8b830 fbe88c"),
    "green": _ramp("12383a 2b7a44 55ad47 a9dc5e"),
    "teal": _ramp("0f3346 1d7580 31aba0 86e0bd"),
    "blue": _ramp("1b1f52 2f4fa8 4680d8 8cc3f2"),
    "purple": _ramp("2a1548 5d2f8f 8b4fc4 c393ea"),
    "pink": _ramp("561a48 b24382 e678a8 fbb6c6"),
    "brown": _ramp("36191f 6e3f2c 9c653c cf9d62"),
    "grey": _ramp("26263a 5a5f78 8c93a3 c6ccd0"),
}

# A second cloth colour that sits well beside each main colour.
PARTNERS: dict[str, tuple[str, ...]] = {
    "red": ("gold", "grey", "brown"),
    "orange": ("brown", "teal", "grey"),
    "gold": ("red", "purple", "brown"),
    "green": ("brown", "gold", "grey"),
    "teal": ("orange", "grey", "pink"),
    "blue": ("gold", "grey", "red"),
    "purple": ("gold", "teal", "grey"),
    "pink": ("purple", "gold", "teal"),
    "brown": ("green", "gold", "blue"),
    "grey": ("red", "blue", "green"),
}

SKIN: tuple[Ramp, ...] = (
    _ramp("5c2a33 cf8a6e f2c199 fde2c0"),
    _ramp("55242c bd7350 e6a673 f8cf9b"),
    _ramp("45202a 9c5a40 c98656 e8b27c"),
    _ramp("331a24 7d4636 a8693f cf9763"),
    _ramp("28141f 5c312d 85503c b07a54"),
)

HAIR: tuple[Ramp, ...] = (
    _ramp("15131f 2a2838 45435a 6f7088"),
    _ramp("2b1519 52301f 7a4a2b a9743f"),
    _ramp("5a3014 b8832c e8bf4e fbeb98"),
    _ramp("4a1a17 98401f cf6a2c f0a252"),
    _ramp("3c3c52 9aa2b6 d0d6de f7f8f4"),
)

# Hair that stands out from each skin; a face must not melt into its frame.
HAIR_BESIDE_SKIN = ((0, 1, 2, 3, 4), (0, 1, 3, 4), (0, 4), (0, 4, 2), (0, 4, 2))

MATERIALS: dict[str, Ramp] = {
    "m": _ramp("2b2f45 6b7690 a8b5c4 e9f1f3"),  # steel
    "l": _ramp("33191c 6a3d2a 94603a c4935a"),  # leather and wood
    "g": _ramp("553012 b57c1e e8b830 fbe88c"),  # gold
    "w": _ramp("3d3440 a8998f ddd3bd f8f3e0"),  # bone, cream
    "e": _ramp("14362f 2f7038 58a03f 9dcf56"),  # leaf
    "f": _ramp("6b1a1a d9481f f79b2a fde97a"),  # fire
    "b": _ramp("23415c 6fa5bf b4dbe4 f0fcff"),  # glass and ice
    "t": _ramp("4a2218 a8622a d9974a f3cd84"),  # crust
    "n": _ramp("17131f 2b2838 454357 75748a"),  # coal
    "q": _ramp("4f1a2a 97373a c4604a eb9a74"),  # cooked meat
    "k": _ramp("1a1424 1a1424 1a1424 1a1424"),  # pupil
    "z": _ramp("ffffff ffffff ffffff ffffff"),  # eye white, glint
    "v": _ramp("8e2440 8e2440 b8323e d9534f"),  # mouth
    "y": _ramp("ffd94a ffd94a ffd94a ffd94a"),  # glowing eye
}
