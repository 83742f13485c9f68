"""Feature extractors: from pictures to rows of numbers in which sets of pictures can be compared.

Every extractor sees pictures in the one way of ``seeing.see``. Figures compare only where name, hash and the
rule of seeing (``seeing.RULE``) are the same; print them beside every figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from fogcatcher.base.disk import short_hash
from fogcatcher.base.errors import UserError
from fogcatcher.base.oklab import srgb_from_oklab
from fogcatcher.base.printable import in_one_line, printable
from fogcatcher.base.tensor_files import file_hash, most_bytes, read_tensors
from fogcatcher.judging.metrics.feature_network import SIZE, FeatureNetwork
from fogcatcher.judging.metrics.programs import load_program
from fogcatcher.judging.metrics.seeing import RULE, Pictures, Seen, see

Features = Float64[Tensor, "N D"]

SHIPPED = Path(__file__).parents[2] / "shipped" / "features"
PIXELS_AT_ONCE = 2**17
"""Pixels looked at together, so that memory does not grow with the number of pictures."""
PROGRAM_BATCH = 64
"""Pictures at a time for a program that takes any number."""


class Pixels:
    """The pixels themselves: OKLab times alpha, and alpha; D = 4 size^2."""

    name = "pixels"

    def __init__(self, size: int = 16) -> None:
        self.size = size
        self.hash = short_hash(f"OKLab times alpha, alpha; {size}; {RULE}".encode())

    def __call__(self, pictures: Pictures) -> Features:
        """Return (N, 4 size^2): L, a, b and alpha, each row by row."""
        return _in_chunks(pictures, self.size, lambda seen: seen.flatten(1))


class Builtin:
    """The shipped network: 64 features, with mean 0 and standard deviation 1 over the built-in sprites.

    ``benchmarks/train_features.py`` says what it has learnt.
    """

    name = "builtin"
    size = SIZE

    def __init__(self, folder: Path = SHIPPED) -> None:
        weights = folder / "model.safetensors"
        self.hash = file_hash(weights)
        network = FeatureNetwork()
        kernels, _ = read_tensors(weights, most_bytes(network))  # in half precision
        network.load_state_dict(kernels)
        self._network = network.eval()

    def __call__(self, pictures: Pictures) -> Features:
        """Return (N, 64) features."""
        # Side by side in memory, channels are convolved half as fast again on a CPU.
        return _in_chunks(
            pictures, SIZE, lambda x: self._network(x.contiguous(memory_format=torch.channels_last))
        )


class Module:
    """A network of one's own: a program of torch.export (.pt2), on the CPU.

    It must take one float32 tensor (B, 3 or 4, S, S), B fixed or free: sRGB in [0, 1] over black, and alpha
    where there are four channels; and return (B, D). Put any other normalisation into the program. Raises
    UserError when the file is no such program.
    """

    def __init__(self, path: Path) -> None:
        program = load_program(path)
        self.name, self.hash = printable(path.name), file_hash(path)
        asked = program.graph_signature.user_inputs
        shapes = [
            n.meta["val"].shape for n in program.graph.nodes if n.op == "placeholder" and n.name in asked
        ]
        shape = shapes[0] if len(shapes) == 1 else ()
        if len(shape) != 4 or shape[1] not in (3, 4) or shape[2] != shape[3]:
            raise UserError(
                f"{path} must take one tensor (B, 3 or 4, S, S), not {[tuple(s) for s in shapes]}."
            )
        self._batch = shape[0] if isinstance(shape[0], int) else PROGRAM_BATCH
        self._channels, self.size = int(shape[1]), int(shape[2])
        self._run = program.module()

    def __call__(self, pictures: Pictures) -> Features:
        """Return (N, D) features. Raises UserError when the program fails or returns something else."""
        return _in_chunks(pictures, self.size, self._features)

    def _features(self, seen: Seen) -> Tensor:
        rgb = srgb_from_oklab(seen[:, :3].movedim(1, -1)).clamp(0, 1).movedim(-1, 1)
        given = torch.cat([rgb, seen[:, 3:]], 1)[:, : self._channels]
        return torch.cat([self._answer(part) for part in given.split(self._batch)])

    def _answer(self, given: Tensor) -> Tensor:
        """Fill the batch up, since a program may take no other, and return the rows of ``given``."""
        full = torch.cat([given, given.new_zeros(self._batch - len(given), *given.shape[1:])])
        try:
            features = self._run(full)
        except Exception as error:  # the program is the user's, and so is whatever it raises
            said = in_one_line(error)
            raise UserError(f"{self.name} fails on {tuple(full.shape)} pictures ({said}).") from error
        if not isinstance(features, Tensor) or features.shape[:1] != full.shape[:1] or features.ndim != 2:
            raise UserError(f"{self.name} must return one tensor (B, D) for {self._batch} pictures.")
        return features[: len(given)]


class Inception(Module):
    """Inception's pool3 features as a program of one's own, for the Frechet distance called FID.

    Checked is the width alone, 2048. Figures are near to published ones only where the program holds the
    weights of FID; and still not equal, for pictures are enlarged here by whole factors, not bicubically.
    """

    WIDTH = 2048

    def _answer(self, given: Tensor) -> Tensor:
        features = super()._answer(given)
        if features.shape[1] != self.WIDTH:
            raise UserError(f"{self.name} returns {features.shape[1]} features; Inception's pool3 has 2048.")
        return features


@cache
def builtin() -> Builtin:
    """Return the shipped network, read once."""
    return Builtin()


def _in_chunks(pictures: Pictures, size: int, look: Callable[[Seen], Tensor]) -> Features:
    with torch.no_grad():
        return torch.cat([look(see(part, size)).double() for part in _chunks(pictures, size)])


def _chunks(pictures: Pictures, size: int) -> Iterator[Pictures]:
    side = max(size, *pictures.shape[2:])
    yield from pictures.split(max(1, PIXELS_AT_ONCE // side**2))
