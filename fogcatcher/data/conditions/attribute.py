"""What every attribute can do that a model may be asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from fogcatcher.data.values import Wish


@dataclass(frozen=True)
class Attribute(ABC):
    """What a model knows about one property. Asked for nothing, every attribute encodes to zeros."""

    name: str
    kind: ClassVar[str]

    @property
    @abstractmethod
    def features(self) -> int:
        """How many numbers encode one value."""

    @property
    def length(self) -> float:
        """About how long the code of a value is."""
        return 1.0

    @abstractmethod
    def encode(self, wish: Wish) -> Tensor:
        """Return (features,) float32; zeros for None. Raises UserError for what cannot be asked."""

    def clean(self, wish: Wish) -> Wish:
        """Return a wish typed on the command line in the form that recipes keep; checked."""
        self.encode(wish)
        return wish

    def one_by_one(self, wish: Wish) -> list[str]:
        """Return what a network hears one after another of a wish, by name; nothing of what is one vector."""
        return []

    def between(self, a: Wish, b: Wish, u: float) -> Wish:
        """Return the wish at the share ``u`` of the way from a to b; of what does not mix, the nearer."""
        return a if u < 0.5 else b

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "type": self.kind}
