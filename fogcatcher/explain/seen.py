"""What one sees in the pictures of a page, said only where a figure bears it out.

Each function returns sentences, with their figures in them. What is not so with this model is not said.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from fogcatcher.data.pictures.spec import Pictures
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.explain.explaining import Forward, Rates, Steps, Variant
from fogcatcher.explain.parts import Parts
from fogcatcher.explain.training_side import TrainingSide
from fogcatcher.explain.word_maps import WordMaps

FOLLOWED = ("ddim", "heun", "dpmpp_2m")
"""Samplers of the same path."""
SAME = 0.02
"""So little apart, of 1 from black to white, that nobody sees it."""
ARRIVED = 0.1
HALF = 0.5


def roughness(x: Samples) -> float:
    """Return the mean difference of neighbouring pixels, (B, C, H, W), on the scale of ``x``."""
    return ((x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()) / 2).item()


def apart(a: Pictures, b: Pictures) -> float:
    """Return the root mean square difference of pictures, of 1 from black to white."""
    return ((a.double() - b.double()) / 255).square().mean().sqrt().item()


def hard(pictures: Pictures) -> float:
    """Return the share of colours within 5 % of black or white, among those that are not transparent."""
    colours = _colours(pictures)
    return ((colours < 0.05) | (colours > 0.95)).double().mean().item()


def pale(pictures: Pictures) -> float:
    """Return the mean distance of colours from middle grey, 0 to 0.5; less is paler."""
    return (_colours(pictures) - 0.5).abs().mean().item()


def spread(pictures: Pictures) -> float:
    """Return how much pictures, (N, C, H, W), differ from each other: standard deviation, of 1."""
    return (pictures.double() / 255).std(0).mean().item()


def words_seen(maps: WordMaps) -> list[str]:
    """Which word is looked at in the smallest part of the picture, and how small that is."""
    said = []
    for word, whole in zip(maps.words, maps.whole, strict=True):
        if float(whole.sum()) == 0:
            continue
        order = whole.flatten().sort(descending=True).values
        share = (int((order.cumsum(0) < HALF).sum()) + 1) / len(order)
        if share < HALF / 2:
            said.append(f"{word}: half of what looks at it stands in {share:.0%} of the picture.")
    return said


def _colours(pictures: Pictures) -> Tensor:
    """Of all pixels that can be seen, (n,), 0 to 1."""
    channels = {2: 1, 4: 3}.get(pictures.shape[1], pictures.shape[1])
    colours = pictures[:, :channels].double() / 255
    if channels == pictures.shape[1]:
        return colours.flatten()
    seen = (pictures[:, -1:] > 127).expand_as(colours)
    return colours[seen] if bool(seen.any()) else colours.flatten()


def forward_seen(forward: Forward) -> list[str]:
    last, snr = forward.t[-1].item(), forward.snr[-1].item()
    if snr < 0.01:
        return [f"At t = {last:.3g} the SNR is {snr:.2g}: nothing of the picture can be seen."]
    return [f"At t = {last:.3g} the SNR is {snr:.2g}: the picture is still there."]


def steps_seen(steps: Steps) -> list[str]:
    rough = [roughness(guess[None]) for guess in steps.x0_hat]
    end, said = roughness(steps.answer), []
    if rough[0] < 0.7 * end:
        said.append(
            f"The first guess is blurred: neighbouring pixels differ by {rough[0]:.2f}, in the finished "
            f"picture by {end:.2f}. The best guess is the average of all pictures that may come out of "
            "so much noise."
        )
        sharper = sum(b > a for a, b in pairwise(rough))
        if sharper > len(rough) / 2:
            said.append(
                f"Fewer and fewer remain possible, and in {sharper} of {len(rough) - 1} steps the guess gets "
                "sharper."
            )
    ratio = (steps.sigma[-1] / steps.alpha[-1]).item()
    if ratio < 0.1:
        said.append(f"In the last step there is only {ratio:.2g} times as much noise as picture.")
    return said


def pixel_seen(path: Tensor, guess: Tensor) -> list[str]:
    """Of the path of a pixel, (N + 1,), and what the model took its end to be, (N,)."""

    def since(values: Tensor) -> int:
        """The first step, from 1, from which on all are near the end."""
        far = ((values - path[-1]).abs() > ARRIVED).nonzero()
        return 1 if not len(far) else int(far[-1]) + 2

    first, second = since(guess), since(path)
    if first >= second:
        return []
    return [
        f"From step {first} on the guess is within {ARRIVED:g} of its end; the noisy value is so from step "
        f"{second} on."
    ]


def samplers_seen(variants: Sequence[Variant]) -> list[str]:
    drawn = {(v.settings.sampler, v.settings.steps): v.drawing.pictures for v in variants}
    counts = sorted({count for _, count in drawn})
    least, most = counts[0], counts[-1]
    follow = [name for name in FOLLOWED if (name, most) in drawn]
    between = max(
        (apart(drawn[a, most], drawn[b, most]) for a in follow for b in follow if a < b), default=1.0
    )
    said = []
    if "ddpm" in {name for name, _ in drawn}:
        away = min(apart(drawn["ddpm", most], drawn[name, most]) for name in follow)
        if between < away / 2:
            said.append(
                f"With {most} steps DDIM, Heun and DPM++ 2M are at most {between:.3f} apart (root mean "
                f"square, of 1 from black to white): they follow one path. DDPM, which adds fresh noise, "
                f"is {away:.3f} or more away from them."
            )
        else:
            said.append(
                f"With {most} steps DDIM, Heun and DPM++ 2M are still {between:.3f} apart (root mean square, "
                f"of 1 from black to white), and DDPM is {away:.3f} away from the nearest."
            )
    off = {name: apart(drawn[name, least], drawn[name, most]) for name in follow}
    worst = max(off, key=lambda name: off[name])
    if off[worst] > 2 * min(off.values()):
        said.append(f"With {least} steps {NAMES[worst]} has left its path furthest: by {off[worst]:.3f}.")
    return said


NAMES = {"ddpm": "DDPM", "ddim": "DDIM", "heun": "Heun", "dpmpp_2m": "DPM++ 2M"}


def noise_seen(variants: Sequence[Variant]) -> list[str]:
    """Of DDIM with rising eta, then DDPM."""
    *_, full, ddpm = variants
    far = apart(full.drawing.pictures, ddpm.drawing.pictures)
    moved = apart(variants[0].drawing.pictures, full.drawing.pictures)
    if full.settings.eta == 1 and far < SAME:
        return [
            f"DDIM with eta = 1 draws the pictures of DDPM: they are {far:.3f} apart, those with eta = 0 and "
            f"eta = 1 {moved:.3f}."
        ]
    return []


def guidance_seen(variants: Sequence[Variant]) -> list[str]:
    """Of rising scales, among them 1."""
    plain = next((v for v in variants if v.settings.guidance == 1), None)
    if plain is None:
        return []
    strong, said = variants[-1], []
    w = strong.settings.guidance
    colours = hard(plain.drawing.pictures), hard(strong.drawing.pictures)
    if colours[1] > 1.1 * colours[0]:
        said.append(
            f"With w = {w:g} colours are harder: {colours[1]:.0%} of them are nearly black or white, "
            f"{colours[0]:.0%} with w = 1."
        )
    alike = spread(plain.drawing.pictures), spread(strong.drawing.pictures)
    if alike[1] < 0.9 * alike[0]:
        said.append(
            f"And pictures are more alike: their spread is {alike[1]:.2f}, with w = 1 {alike[0]:.2f}."
        )
    return said


def limits_seen(variants: Sequence[Variant]) -> list[str]:
    drawn = {v.settings.limit: v.drawing.pictures for v in variants}
    colour = {name: pale(pictures) for name, pictures in drawn.items()}
    if colour["dynamic"] < 0.95 * colour["clip"]:
        return [
            f"dynamic gives paler colours: {colour['dynamic']:.2f} from grey on average, clip "
            f"{colour['clip']:.2f}."
        ]
    return [
        f"Here it makes little difference: colours are {colour['dynamic']:.2f} and {colour['clip']:.2f} "
        "from grey."
    ]


def training_seen(side: TrainingSide) -> list[str]:
    if len(side.answers) < 2:
        return []
    first, last = side.answers
    before, after = first.loss.mean().item(), last.loss.mean().item()
    better = int((last.loss < first.loss).sum())
    if after < before:
        return [
            f"From {first.weights} to {last.weights} the mean of these losses fell from {before:.3g} to "
            f"{after:.3g}; at {better} of {len(side.t)} times it is lower."
        ]
    return [f"Training did not lower the mean of these losses: it was {before:.3g} and is {after:.3g}."]


def parts_seen(parts: Parts) -> list[str]:
    whole, *others = parts.answers
    said = []
    for lacking in others:
        ratio = (lacking.error / whole.error).log().mean().exp().item()
        same = abs(ratio - 1) < 0.005
        said.append(
            f"{lacking.part}: the error {'stays what it was' if same else f'is {ratio:.2f} times as large'}."
        )
    return said


def schedules_seen(rates: Sequence[Rates]) -> list[str]:
    falls = [bool((r.log_snr.diff() < 0).all()) for r in rates]
    middle = {r.name: r.t[int(r.log_snr.abs().argmin())].item() for r in rates}
    said = ", ".join(f"{name} at t = {t:.2g}" for name, t in middle.items())
    first = "The log SNR falls all the way in each of them. " if all(falls) else ""
    return [f"{first}As much picture as noise there is in {said}."]
