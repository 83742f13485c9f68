"""Draws with a model of Fogcatcher in diffusers; nothing else need be installed.

``denoiser/`` beside this file holds three programs of torch.export: the denoiser, from x_t, t and conditions
to x0_hat; the rates of its schedule, from t to alpha, sigma and log_snr; and the way back, from log_snr to t.
A model of latents has a fourth, from latents to pictures.
Having been recorded from the model, they are its own network and schedule to the last bit, whatever those
are. The grid of times and the sampler take a number of steps, and are written out below.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput, ModelMixin  # type: ignore[attr-defined]
from PIL import Image, ImageColor
from torch import Tensor
from torch.export.passes import move_to_device_pass

BATCH = 64
SEEDS_PER_CLASS = 8
Wishes = Mapping[str, Any]


class Programs(ModelMixin):
    """The denoiser and its schedule, as recorded programs, with the facts in ``config.json``."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.program = torch.export.load(folder / "denoiser.pt2")
        self.network = self.program.module()
        self.rates = torch.export.load(folder / "rates.pt2").module()
        self.time_of = torch.export.load(folder / "times.pt2").module()
        latent = self.facts["is_latent"]
        self.decoder = torch.export.load(folder / "decoder.pt2") if latent else None

    @classmethod
    def from_pretrained(cls, folder: str | Path, **_: object) -> Programs:  # type: ignore[override]
        return cls(Path(folder))

    def to(self, device: torch.device | str | None = None, *_: object, **__: object) -> Programs:  # type: ignore[override]
        """Move the network; it computes in float32 and times in float64, whatever type is asked for."""
        if device is not None and not isinstance(device, torch.dtype):
            self.program = move_to_device_pass(self.program, str(device))
            self.network = self.program.module()
            self.decoder = self.decoder and move_to_device_pass(self.decoder, str(device))
        return self

    def forward(self, x_t: Tensor, t: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Return x0_hat, (B, C, H, W), of ``x_t`` at one time, with attribute -> (B, features)."""
        times = t.to(x_t.device).expand(len(x_t))
        return self.network(x_t, times, *rows.values())

    def pictures_of(self, x: Tensor) -> Tensor:
        """Return samples as pictures, (B, C, H, W) about [-1, 1]: they are such, or latents of some."""
        return x if self.decoder is None else self.decoder.module()(x)


class FogcatcherPipeline(DiffusionPipeline):
    """Pictures from noise by DPM-Solver++(2M), on the times that the model was made for."""

    def __init__(self, denoiser: torch.nn.Module) -> None:
        super().__init__()
        self.register_modules(denoiser=denoiser)

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """What can be asked of the model."""
        return self.denoiser.facts["conditions"]

    def save_pretrained(self, save_directory: str | Path) -> None:  # type: ignore[override]
        """Copy the folder, with this file and the model card."""
        shutil.copytree(self.denoiser.folder.parent, save_directory, dirs_exist_ok=True)

    @torch.no_grad()
    def __call__(
        self,
        num_images: int | None = None,
        *,
        guidance_scale: float | Mapping[str, float] | None = None,
        num_inference_steps: int | None = None,
        seeds: Sequence[int] | None = None,
        conditions: Wishes | Sequence[Wishes] | None = None,
        clip: bool = True,
        output_type: str = "pil",
        return_dict: bool = True,
        **wishes: object,
    ) -> ImagePipelineOutput | tuple[object]:
        """Draw pictures.

        Conditions are arguments by their names, ``kind="food"`` or a mix ``kind={"hero": 1, "food": 0.6}``,
        or all in ``conditions``, one mapping or one for each picture. Without any, eight seeds in a row ask
        for one class of the first category and the next eight for the next. ``guidance_scale`` is one number,
        or attribute -> number (1 for those not named), by default 2, with 20 ``num_inference_steps``; a model
        that was distilled draws in its own steps, guided as it learned, and in no others. ``seeds`` default
        to 0 ... num_images - 1, and a picture depends on its seed alone. ``clip`` keeps every answer of the
        denoiser in [-1, 1]. ``output_type`` is "pil", or "pt" for the tensor before rounding, (N, C, H, W),
        about [-1, 1]. Raises ValueError for what cannot be.
        """
        seeds = list(range(num_images or SEEDS_PER_CLASS) if seeds is None else seeds)
        if not seeds or num_images not in (None, len(seeds)):
            raise ValueError(f"{num_images} pictures were asked for, with {len(seeds)} seeds.")
        if output_type not in ("pil", "pt"):
            raise ValueError(f"output_type is 'pil' or 'pt', not '{output_type}'.")
        guidance_scale, num_inference_steps = self._way(guidance_scale, num_inference_steps)
        scales = guidance_scale.values() if isinstance(guidance_scale, Mapping) else [guidance_scale]
        if not all(math.isfinite(scale) for scale in scales):
            raise ValueError(f"a guidance_scale must be a number, not {guidance_scale}.")
        asked = self._asked(conditions, wishes, seeds)
        times = self._times(num_inference_steps)
        parts = []
        for start in range(0, len(seeds), BATCH):
            rows = self._encode(asked[start : start + BATCH])
            x = self._noise(seeds[start : start + BATCH])
            # Latents have no range to keep within.
            x = self._sample(x, times, rows, guidance_scale, clip and self.denoiser.decoder is None)
            parts.append(self.denoiser.pictures_of(x).cpu())
        raw = torch.cat(parts)
        images = raw if output_type == "pt" else [_to_image(x, self.denoiser.facts["pictures"]) for x in raw]
        return ImagePipelineOutput(images=images) if return_dict else (images,)  # type: ignore[arg-type]

    def _way(
        self, guidance: float | Mapping[str, float] | None, steps: int | None
    ) -> tuple[float | Mapping[str, float], int]:
        """Return guidance and steps; raises ValueError where the model has its own and others are given."""
        own = self.denoiser.facts.get("own_steps")
        if own is None:
            return 2.0 if guidance is None else guidance, 20 if steps is None else steps
        if steps not in (None, own) or guidance not in (None, 1):
            raise ValueError(f"this model draws in its own {own} steps: leave out steps and guidance.")
        return 1.0, own

    def _asked(
        self, conditions: Wishes | Sequence[Wishes] | None, named: Wishes, seeds: Sequence[int]
    ) -> list[Wishes]:
        """Return one mapping for every picture."""
        category = next((a for a in self.attributes if a["type"] == "category"), None)
        if conditions is None and not named and category:
            name, classes = category["name"], category["classes"]
            return [{name: classes[seed // SEEDS_PER_CLASS % len(classes)]} for seed in seeds]
        conditions = {} if conditions is None else conditions
        each = [conditions] * len(seeds) if isinstance(conditions, Mapping) else list(conditions)
        if len(each) != len(seeds):
            raise ValueError(f"{len(each)} conditions cannot serve {len(seeds)} pictures.")
        return [{**one, **named} for one in each]

    def _encode(self, asked: Sequence[Wishes]) -> dict[str, Tensor]:
        """Return attribute -> (B, features), zeros where nothing is said."""
        names = [a["name"] for a in self.attributes]
        for name in {name for wish in asked for name in wish} - set(names):
            raise ValueError(f"unknown condition '{name}'. Valid: {', '.join(names) or 'none'}.")
        device = self.denoiser.device
        return {
            a["name"]: torch.stack([encode(a, wish.get(a["name"])) for wish in asked]).to(device)
            for a in self.attributes
        }

    def _noise(self, seeds: Sequence[int]) -> Tensor:
        """Return standard normal noise, every picture from its own stream on the CPU."""
        shape = self.denoiser.facts["shape"]
        rows = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.stack(rows).to(self.denoiser.device)

    def _times(self, steps: int) -> Tensor:
        """Return (steps + 1,) times, from noise to 0. Raises ValueError for a number that cannot be."""
        if not 1 <= steps <= 10_000:
            raise ValueError(f"sampling needs at least 1 step and at most 10,000, not {steps}.")
        grid = self.denoiser.facts["grid"]
        if steps + (grid["name"] == "linspace_open") > grid.get("trained_steps", math.inf):
            raise ValueError(f"{steps} steps do not fit into {grid['trained_steps']} trained ones.")
        index = torch.arange(steps, dtype=torch.float64)
        match grid["name"]:
            case "uniform":
                noisy = 1 - index / steps
            case "leading":
                trained = grid["trained_steps"]
                noisy = (index.flip(0) * (trained // steps) + 1) / trained
            case "linspace":
                trained = grid["trained_steps"]
                noisy = (torch.linspace(trained - 1, 0, steps, dtype=torch.float64).round() + 1) / trained
            case "linspace_open":
                trained = grid["trained_steps"]
                places = torch.linspace(trained - 1, 0, steps + 1, dtype=torch.float64).round()
                noisy = (places[:-1] + 1) / trained
            case "straight":
                one = torch.ones(1, dtype=torch.float64)
                end = 1 / (1 + grid["shift"] * (self.denoiser.rates(one)[2] / 2).exp())
                u = end * (1 - index[1:] / steps)
                noisy = torch.cat([one, self.denoiser.time_of(-2 * (grid["shift"] * u / (1 - u)).log())])
            case "karras" | "karras_nested" | "log_snr" | "polyexponential":
                noisy = self.denoiser.time_of(self._log_snrs(steps, **grid))
            case name:
                raise ValueError(f"this pipeline does not know the grid '{name}'.")
        return torch.cat([noisy, torch.zeros(1, dtype=torch.float64)])

    def _log_snrs(
        self, steps: int, name: str, sigma_min: float, sigma_max: float, rho: float = 0.0
    ) -> Tensor:
        """Even in (sigma / alpha)^(1 / rho): Karras et al. 2022, equation 5; or in the log-SNR itself."""
        first = self.denoiser.rates(torch.ones(1, dtype=torch.float64))[2].clamp(min=-2 * math.log(sigma_max))
        # The nested one ends with the data where the others still ask at sigma_min.
        ramp = torch.linspace(0, 1, steps + (name == "karras_nested"), dtype=torch.float64)[:steps]
        if name == "log_snr":
            return first + ramp * (-2 * math.log(sigma_min) - first)
        if name == "polyexponential":
            return -2 * math.log(sigma_min) + (1 - ramp) ** rho * (first + 2 * math.log(sigma_min))
        high, low = (-first / 2).exp() ** (1 / rho), sigma_min ** (1 / rho)
        return -2 * rho * (high + ramp * (low - high)).log()

    def _sample(
        self,
        noise: Tensor,
        times: Tensor,
        rows: Mapping[str, Tensor],
        w: float | Mapping[str, float],
        clip: bool,
    ) -> Tensor:
        """DPM-Solver++(2M): Lu et al. 2022, algorithm 2, with h = lambda_s - lambda_t, lambda = log_snr / 2.

        D = x0_hat + (h / previous h) / 2 (x0_hat - previous x0_hat)
        x_s = sigma_s / sigma_t x_t + (alpha_s - alpha_t sigma_s / sigma_t) D

        A model of few steps of its own takes D = x0_hat: DDIM, Song et al. 2020, equation 12.
        """
        alone = self.denoiser.facts.get("own_steps") is not None
        alpha, sigma, log_snr = self.denoiser.rates(times)
        h = (log_snr.diff() / 2).tolist()
        x, previous = sigma[0].to(noise) * noise, noise
        for i in self.progress_bar(range(len(h))):  # type: ignore[misc]
            d = x0_hat = self._x0_hat(x, times[i], rows, w, clip)
            if i > 0 and sigma[i + 1] > 0 and not alone:
                d = d + h[i] / h[i - 1] / 2 * (d - previous)
            shrink = sigma[i + 1] / sigma[i]
            x = shrink * x + (alpha[i + 1] - alpha[i] * shrink) * d
            previous = x0_hat
        return x

    def _x0_hat(
        self, x: Tensor, t: Tensor, rows: Mapping[str, Tensor], w: float | Mapping[str, float], clip: bool
    ) -> Tensor:
        """Classifier-free guidance: D_0 + sum_k w_k (D_k - D_{k-1}), D_k the answer to the first k groups.

        A group is the attributes of one weight, the largest first; (w_k - w_{k+1}) D_k, with w_0 = 1 and 0
        at the end, adds up to the same. Ho & Salimans 2022, equation 6; Brooks et al. 2023, equation 3.
        """
        own = {name: w.get(name, 1.0) if isinstance(w, Mapping) else w for name in rows}
        weights = [1.0, *sorted(set(own.values()), reverse=True), 0.0]
        terms = []
        for k, factor in enumerate(a - b for a, b in itertools.pairwise(weights)):
            if factor != 0:
                said = {n for n in rows if k > 0 and own[n] >= weights[k]}
                heard = {n: row if n in said else torch.zeros_like(row) for n, row in rows.items()}
                answer = self.denoiser(x, t, heard)
                terms.append(answer if factor == 1 else factor * answer)
        guided = functools.reduce(torch.add, terms)
        return guided.clamp(-1, 1) if clip else guided


def _to_image(x: Tensor, pictures: Mapping[str, Any]) -> Image.Image:
    """Return one picture, (C, H, W) in [-1, 1], rounded to uint8; colour under alpha 0 is 0."""
    picture = ((x.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    if pictures["channels"] in (2, 4):
        alpha = picture[-1:]
        if pictures["hard_alpha"]:
            alpha = torch.where(alpha >= 128, 255, 0).to(torch.uint8)
        picture = torch.cat([picture[:-1] * (alpha > 0), alpha])
    array = picture.permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


# --- conditions: from what people ask to the numbers that the network was trained with ------------------


def encode(attribute: Mapping[str, Any], wish: Any) -> Tensor:  # noqa: ANN401 - whatever people ask
    """Return (features,) for one wish; zeros for None. Raises ValueError for what cannot be asked."""
    zeros = [0.0] * attribute["features"]
    if wish is None:
        return torch.tensor(zeros)
    kinds = {
        "category": _category,
        "tags": _tags,
        "number": _number,
        "colour": _colour,
        "text": _text,
        "sentence": _sentence,
        "encoded_text": _encoded_text,
    }
    return torch.tensor(kinds[attribute["type"]](attribute, wish, zeros), dtype=torch.float32)


def _category(a: Mapping[str, Any], wish: Any, zeros: list[float]) -> list[float]:  # noqa: ANN401
    name = str(wish).lower() if isinstance(wish, bool) else str(wish)
    mix = wish if isinstance(wish, Mapping) else {name: 1.0}
    return _placed(a, "classes", mix, zeros)


def _tags(a: Mapping[str, Any], wish: Any, zeros: list[float]) -> list[float]:  # noqa: ANN401
    """1 for a tag, -1 for "-tag"."""
    parts = re.split("[;|,]", wish) if isinstance(wish, str) else wish
    tags = [text for part in parts if (text := str(part).strip())]
    signs = {tag.removeprefix("-"): -1.0 if tag.startswith("-") else 1.0 for tag in tags}
    return _placed(a, "tags", signs, zeros)


def _placed(a: Mapping[str, Any], key: str, values: Mapping[str, float], zeros: list[float]) -> list[float]:
    for name, value in values.items():
        if name not in a[key]:
            raise ValueError(f"unknown {a['name']} '{name}'. Valid: {', '.join(a[key])}.")
        if not math.isfinite(value):
            raise ValueError(f"{a['name']}: the weight of {name} is a number; {value} is none.")
        zeros[a[key].index(name)] = value
    return zeros


def _number(a: Mapping[str, Any], wish: Any, zeros: list[float]) -> list[float]:  # noqa: ANN401
    if not a["low"] <= float(wish) <= a["high"]:
        raise ValueError(f"{a['name']} must be from {a['low']:g} to {a['high']:g}, not {wish}.")
    return [1.0, *_waves((float(wish) - a["low"]) / (a["high"] - a["low"]), len(zeros) - 2)]


def _waves(u: float, count: int) -> list[float]:
    return [2 * u - 1, *(math.cos(math.pi * k * u) for k in range(1, count + 1))]


def _colour(a: Mapping[str, Any], wish: Any, zeros: list[float]) -> list[float]:  # noqa: ANN401
    """The place of #rrggbb, a name of CSS or (r, g, b) in OKLab (Ottosson 2020)."""
    rgb = ImageColor.getrgb(wish)[:3] if isinstance(wish, str) else wish
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb))
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    green_red = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    blue_yellow = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    places = (lightness, (green_red + 0.35) / 0.7, (blue_yellow + 0.35) / 0.7)
    count = (len(zeros) - 1) // 3 - 1
    return [1.0, *(wave for place in places for wave in _waves(place, count))]


def _text(a: Mapping[str, Any], wish: Any, zeros: list[float]) -> list[float]:  # noqa: ANN401
    """The numbers of its words: 0 for none, 1 for one that the model does not know."""
    numbers = {word: i + 2.0 for i, word in enumerate(a["words"])}
    said = [numbers.get(word, 1.0) for word in re.findall(r"[^\W_]+", str(wish).lower())]
    return [*said, *zeros][: len(zeros)]


def _sentence(a: Mapping[str, Any], wish: Any, zeros: list[float]) -> list[float]:  # noqa: ANN401
    """The vector of the sentence encoder that the model was trained with, which is not in this folder."""
    if isinstance(wish, str) or len(wish) != len(zeros):
        raise ValueError(f"{a['name']} takes the {len(zeros)} numbers that its sentence encoder gives.")
    return [float(number) * math.sqrt(len(zeros)) for number in wish]


def _encoded_text(a: Mapping[str, Any], wish: Any, zeros: list[float]) -> list[float]:  # noqa: ANN401
    """The vectors of the tokens, (L, width), by the encoder that the model was trained with."""
    if isinstance(wish, str) or not 0 < len(wish) <= a["count"] or any(len(v) != a["width"] for v in wish):
        raise ValueError(
            f"{a['name']} takes at most {a['count']} vectors of {a['width']} numbers: the last layer of "
            "its text encoder."
        )
    said = [float(number) for vector in wish for number in vector]
    return [*said, *zeros][: len(zeros)]
