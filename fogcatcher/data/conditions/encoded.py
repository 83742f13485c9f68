"""Texts that a model of this machine has turned into vectors, which learns nothing more."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from fogcatcher.base.errors import UserError
from fogcatcher.base.typed_json import Range
from fogcatcher.data.conditions import sentences
from fogcatcher.data.conditions.attribute import Attribute
from fogcatcher.data.named_places import check_named, remember
from fogcatcher.data.values import Wish

MOST_TOKENS = 77
"""As many as CLIP reads; what follows in a longer text is not heard."""
SPARE_TOKENS = 8
"""More than the longest caption has, for texts that are asked for later."""


@dataclass(frozen=True)
class Encoded(Attribute):
    """Text that a frozen encoder reads."""

    encoder: str
    """The folder of the model; it is needed to draw, too."""
    width: Annotated[int, Range(1, 65_536)]
    """Of a vector."""
    weights: str
    """The start of the hash of its weights: another encoder would mean something else by the same words."""

    def check_encoder(self) -> None:
        """Raises UserError unless the folder is named, and holds the encoder that the model learned with."""
        check_named(self.encoder, "the text encoder")
        if sentences.fingerprint(self.encoder) != self.weights:
            raise UserError(f"{self.encoder} is not the text encoder that this model was trained with.")

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "encoder": self.encoder, "width": self.width, "weights": self.weights}


@dataclass(frozen=True)
class Sentence(Encoded):
    """Text as one vector, the mean over its tokens at length 1; models of before were told so."""

    kind: ClassVar[str] = "sentence"

    @property
    def features(self) -> int:
        return self.width

    @property
    def length(self) -> float:
        return math.sqrt(self.width)

    def encode(self, wish: Wish) -> Tensor:
        if wish is None:
            return torch.zeros(self.width)
        self.check_encoder()
        # Vectors of length 1 have small entries; these are about as large as those of the other attributes.
        return sentences.embed(self.encoder, [str(wish)])[0] * math.sqrt(self.width)


@dataclass(frozen=True)
class EncodedText(Encoded):
    """Text as the vectors of its tokens side by side, by the encoder's last layer; then zeros."""

    kind: ClassVar[str] = "encoded_text"
    count: Annotated[int, Range(1, MOST_TOKENS)]
    """Vectors of a text at most."""
    padded: bool = False
    """Whether every text is filled up to ``count`` tokens, as Stable Diffusion has it, before it is read."""

    @staticmethod
    def of(name: str, encoder: str, texts: Iterable[str]) -> EncodedText:
        """Return one with room for these texts. Raises UserError where the encoder cannot be used."""
        remember(encoder)
        longest = max((len(sentences.tokens(encoder, text)) for text in texts), default=0)
        return EncodedText(
            name,
            encoder,
            sentences.width(encoder),
            sentences.fingerprint(encoder),
            min(MOST_TOKENS, longest + SPARE_TOKENS),
        )

    @property
    def features(self) -> int:
        return self.count * self.width

    def encode(self, wish: Wish) -> Tensor:
        vectors = torch.zeros(self.count, self.width)
        if wish is not None:
            self.check_encoder()
            found = sentences.each_token(self.encoder, str(wish), self.count, self.padded)
            vectors[: len(found)] = found
        return vectors.flatten()

    def one_by_one(self, wish: Wish) -> list[str]:
        if wish is None:
            return []
        self.check_encoder()
        return sentences.pieces(self.encoder, str(wish), self.count, self.padded)

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "count": self.count, "padded": self.padded}
