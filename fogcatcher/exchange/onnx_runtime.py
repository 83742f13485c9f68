"""Drawing with a model that was written as one ONNX file, by numpy and onnxruntime alone: without torch.

from fogcatcher import onnx_runtime

model = onnx_runtime.load("sprites.onnx")
onnx_runtime.save(model.sample(8, {"kind": "food"}), "pictures")
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fogcatcher.base.disk import write_atomically
from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.base.numbers import check_value, seeds_of
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.read_json import plain_bytes
from fogcatcher.drawing.settings import Steps
from fogcatcher.exchange.torchless import solvers
from fogcatcher.exchange.torchless.facts import choice_of, conditions_of, config_of
from fogcatcher.exchange.torchless.noise import randn
from fogcatcher.exchange.torchless.schedules import rates, times
from fogcatcher.exchange.torchless.solvers import Place, Samples, Solver
from fogcatcher.exchange.torchless.wishes import encode

Pictures = NDArray[np.uint8]
"""(N, H, W, C): 1 channel is grey, 2 grey and alpha, 3 RGB, 4 RGBA."""
Wish = Mapping[str, Any]
"""Attribute -> a value, a mix ({"hero": 1, "food": 0.6}), or None for nothing."""
Cond = Mapping[str, NDArray[np.float32]]

SOLVERS: Mapping[str, Solver] = {
    "dpmpp_2m": solvers.dpmpp_2m,
    "ddim": solvers.ddim,
    "heun": solvers.heun,
}
USUAL: Mapping[str, Any] = {"guidance": 2.0, "steps": 20, "sampler": "dpmpp_2m"}
BATCH = 64
PIXELS_AT_ONCE = 2**20
"""Of large pictures fewer are drawn together."""
MOST_BYTES = 2**31
"""No ONNX file in one part is larger."""
SEEDS_PER_CLASS = 8


def load(path: str | Path) -> OnnxModel:
    """Return the model of a file that ``fogcatcher.exchange.to_onnx`` wrote. No code in it is run.

    Raises UserError when onnxruntime is missing, or the file is none of ours.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("this needs the 'onnxruntime' library: pip install 'fogcatcher[onnx]'.") from error
    if not Path(path).is_file():
        raise UserError(f"there is no file {path}.")
    try:
        # As bytes it has no folder, so nothing beside it is read, whatever it names.
        content = plain_bytes(Path(path), MOST_BYTES)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises kinds of its own that it does not name
        raise UserError(f"{path} is no ONNX file that can be run ({in_one_line(error)}).") from error
    return OnnxModel(session, path)


class OnnxModel:
    """A denoiser in ONNX with what its file says about it."""

    def __init__(self, session: Any, path: str | Path = "this file") -> None:  # noqa: ANN401 - untyped library
        """Raises UserError when the file does not say what drawing needs."""
        facts = session.get_modelmeta().custom_metadata_map
        try:
            self.version, self.hash = facts["fogcatcher"], facts["model"]
            self.config: Mapping[str, Any] = config_of(facts["config"])
            self.conditions: Sequence[Mapping[str, Any]] = conditions_of(facts["conditions"])
            self.schedule: Mapping[str, Any] = choice_of(facts["schedule"], "schedule")
            self.grid: Mapping[str, Any] = choice_of(facts["grid"], "grid")
            self._check_inputs([(entry.name, entry.shape) for entry in session.get_inputs()])
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{path} was not written by fogcatcher, or is damaged ({error}): export the model again."
            ) from error
        self._session = session

    def _check_inputs(self, inputs: Sequence[tuple[str, Sequence[object]]]) -> None:
        """Raises ValueError unless the graph takes pictures and conditions as the facts describe them."""
        names = ["x_t", "t", *(f"cond.{name}" for name in self._names)]
        if [name for name, _ in inputs] != names or tuple(inputs[0][1][1:]) != self._shape:
            raise ValueError("its graph takes something else than it says")
        for attribute, (_, shape) in zip(self.conditions, inputs[2:], strict=True):
            known = attribute.get("classes" if attribute["type"] == "category" else "tags")
            if len(shape) != 2 or not isinstance(shape[1], int) or (known and len(known) != shape[1]):
                raise ValueError(f"its graph takes another '{attribute['name']}' than it says")

    def denoise(self, x_t: Samples, t: NDArray[np.float64], cond: Cond) -> Samples:
        """Return x0_hat, (B, C, H, W), of ``x_t``, (B, C, H, W), at times ``t``, (B,).

        ``cond`` holds (B, k) numbers for every attribute of the model; a row of zeros says nothing.
        """
        values = [x_t, t, *(cond[attribute["name"]] for attribute in self.conditions)]
        names = [entry.name for entry in self._session.get_inputs()]
        return self._session.run(None, dict(zip(names, values, strict=True)))[0]

    def sample(
        self,
        n: int | None = None,
        condition: Wish | Sequence[Wish] | None = None,
        *,
        guidance: float | Mapping[str, float] | None = None,
        steps: int | None = None,
        seeds: Sequence[int] | None = None,
        sampler: str | None = None,
    ) -> Pictures:
        """Draw pictures, (N, H, W, C) uint8, the same as ``fogcatcher.load(...).sample`` draws.

        ``condition`` is one wish for all pictures or one for each; without any, eight seeds in a row ask for
        one class of the main attribute and the next eight for the next. ``guidance`` is one scale, or
        attribute -> scale (1 for those not named). ``seeds`` default to 0 ... n - 1. ``sampler`` is dpmpp_2m,
        ddim or heun. None is guidance 2 and 20 steps of dpmpp_2m; a model that was distilled draws in its own
        way and no other. Raises UserError for unknown names, impossible numbers, and another way than that.
        """
        return self._to_pictures(
            self.raw(n, condition, guidance=guidance, steps=steps, seeds=seeds, sampler=sampler)
        )

    def raw(
        self,
        n: int | None = None,
        condition: Wish | Sequence[Wish] | None = None,
        *,
        guidance: float | Mapping[str, float] | None = None,
        steps: int | None = None,
        seeds: Sequence[int] | None = None,
        sampler: str | None = None,
    ) -> Samples:
        """Return what ``sample`` draws before it is rounded, (N, C, H, W) float32 in [-1, 1]."""
        seeds = seeds_of(n, seeds)
        way = self._way({"guidance": guidance, "steps": steps, "sampler": sampler})
        check_value("steps", way["steps"], Steps)
        check_value("guidance", way["guidance"], float | Mapping[str, float])
        if way["sampler"] not in SOLVERS:
            raise unknown_name("sampler", way["sampler"], SOLVERS, about="sampler")
        factors = self._guidance(way["guidance"])
        cond = self._encode(self._wishes(condition, seeds))
        places = self._places(way["steps"])
        drawn = []
        at_once = max(1, min(BATCH, PIXELS_AT_ONCE // math.prod(self._shape[1:])))
        for start in range(0, len(seeds), at_once):
            part = slice(start, start + at_once)
            rows = {name: weights[part] for name, weights in cond.items()}
            noise = np.stack([randn(seed, self._shape) for seed in seeds[part]])

            def ask(x: Samples, at: Place, rows: Cond = rows) -> Samples:
                answers = [
                    factor * self.denoise(x, np.full(len(x), at.t), _only(rows, said))
                    for factor, said in factors
                ]
                return sum(answers[1:], answers[0]).clip(-1, 1)

            drawn.append(SOLVERS[way["sampler"]](ask, places[0].sigma * noise, places))
        if not all(np.isfinite(batch).all() for batch in drawn):
            raise UserError(
                "what was drawn holds numbers that are none: is the file whole, the guidance small?"
            )
        return np.concatenate(drawn)

    def _way(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return guidance, steps and sampler: what was asked for, or what is usual."""
        few = self.config.get("distilled")
        usual = USUAL if few is None else {"guidance": 1.0, "steps": few["steps"], "sampler": "ddim"}
        way = {name: usual[name] if value is None else value for name, value in asked.items()}
        for name, value in way.items():
            if few is not None and value != usual[name]:
                raise UserError(
                    Message(
                        "this model was made to draw in {steps} steps of ddim, guided as its teacher was: "
                        "leave out {name}.",
                        steps=usual["steps"],
                        name=name,
                    )
                )
        return way

    @property
    def _shape(self) -> tuple[int, int, int]:
        pictures = self.config["pictures"]
        return pictures["channels"], pictures["height"], pictures["width"]

    @property
    def _names(self) -> list[str]:
        return [attribute["name"] for attribute in self.conditions]

    def _places(self, steps: int) -> list[Place]:
        t = times(self.grid, self.schedule, steps)
        alpha, sigma = rates(self.schedule, t)
        return [Place(*place) for place in zip(t.tolist(), alpha.tolist(), sigma.tolist(), strict=True)]

    def _guidance(self, w: float | Mapping[str, float]) -> list[tuple[float, set[str]]]:
        """Factors of answers, and what each of them heeds: ``ClassifierFree`` of fogcatcher/guidance.py."""
        for name in w if isinstance(w, Mapping) else ():
            if name not in self._names:
                raise unknown_name("condition to guide by", name, self._names, about="guidance")
        own = {name: w.get(name, 1.0) if isinstance(w, Mapping) else w for name in self._names}
        weights = sorted(set(own.values()), reverse=True)
        said = [set[str](), *({name for name in own if own[name] >= weight} for weight in weights)]
        factors = [float(a - b) for a, b in itertools.pairwise([1.0, *weights, 0.0])]
        return [(f, names) for f, names in zip(factors, said, strict=True) if f != 0]

    def _wishes(self, condition: Wish | Sequence[Wish] | None, seeds: Sequence[int]) -> Sequence[Wish]:
        if condition is None:
            main = next((a for a in self.conditions if a["type"] == "category"), None)
            if main is None:
                return [{}] * len(seeds)
            classes = main["classes"]
            return [{main["name"]: classes[seed // SEEDS_PER_CLASS % len(classes)]} for seed in seeds]
        wishes = [condition] * len(seeds) if isinstance(condition, Mapping) else list(condition)
        if len(wishes) != len(seeds):
            raise UserError(f"{len(wishes)} conditions cannot serve {len(seeds)} pictures.")
        return wishes

    def _encode(self, wishes: Sequence[Wish]) -> Cond:
        """Attribute -> (N, k). Raises UserError for what this model cannot be asked."""
        for name in sorted({name for wish in wishes for name in wish} - set(self._names)):
            if not self._names:
                raise UserError(
                    Message(
                        "this model knows no conditions, so '{name}' cannot be asked of it; "
                        "train with labels (sub-folders, or {@conditions:'COLUMN'}) to get them.",
                        name=name,
                    )
                )
            raise unknown_name("condition", name, self._names)
        widths = [entry.shape[1] for entry in self._session.get_inputs()[2:]]
        return {
            a["name"]: np.stack([encode(a, wish.get(a["name"]), width) for wish in wishes])
            for a, width in zip(self.conditions, widths, strict=True)
        }

    def _to_pictures(self, x: Samples) -> Pictures:
        """(N, C, H, W) in [-1, 1] as (N, H, W, C) uint8; colour under alpha 0 is 0."""
        pictures = ((x.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
        if self._shape[0] in (2, 4):
            alpha = pictures[..., -1:]
            if self.config["pictures"]["hard_alpha"]:
                alpha = np.where(alpha >= 128, 255, 0).astype(np.uint8)
            pictures = np.concatenate([pictures[..., :-1] * (alpha > 0), alpha], axis=-1)
        return pictures


def save(pictures: Pictures, folder: str | Path, seeds: Sequence[int] | None = None) -> list[Path]:
    """Write one PNG per picture, named by its seed (0 ... N - 1 by default), and return the paths."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = []
    for seed, picture in zip(seeds or range(len(pictures)), pictures, strict=True):
        paths.append(Path(folder) / f"{seed:05d}.png")
        image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
        write_atomically(paths[-1], partial(image.save, format="PNG"))
    return paths


def _only(cond: Cond, names: set[str]) -> Cond:
    return {name: rows if name in names else np.zeros_like(rows) for name, rows in cond.items()}
