"""Parts of pictures from a handful of examples: a denoiser's features, and a small classifier of pixels.

Baranchuk et al. 2022, "Label-Efficient Semantic Segmentation with Diffusion Models", section 3.2: a picture
is noised a little, in the same way for all pictures; what the network's decoder makes of it is enlarged to
the picture's size; and an ensemble of small networks learns, pixel by pixel, which part that is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fogcatcher.base.devices import device_of
from fogcatcher.base.memory import in_parts
from fogcatcher.data.pictures.spec import Pictures, to_model
from fogcatcher.diffusion.denoiser import Denoiser
from fogcatcher.diffusion.tensors import Samples
from fogcatcher.model.model import Model

Masks = Int64[Tensor, "N H W"]
"""The number of a class for every pixel."""
PixelFeatures = Float[Tensor, "N D H W"]
PerFeature = Float[Tensor, "D"]
PixelClasses = Int64[Tensor, "M"]

NOISE = (0.18, 0.52, 0.95)
"""sigma / alpha at the paper's steps 50, 150 and 250 of the 1,000 linear betas."""
STAGES = 5
"""At most so many stages of the decoder are looked at."""
MEMBERS = 5
STEPS, BATCH, LEARNING_RATE = 400, 256, 1e-3
PIXELS = 20_000
"""The classifiers learn from at most so many pixels, the same number of each picture."""
AT_ONCE = 32


class Features:
    """What a denoiser's decoder makes of pictures, for every pixel."""

    def __init__(self, model: Model, seed: int = 0) -> None:
        self.denoiser, self.model = model.denoiser, model
        self.stages = decoder_stages(model.denoiser.network)
        shape = model.config.kind.shape
        self.noise = torch.randn(len(NOISE), *shape, generator=torch.Generator().manual_seed(seed))
        log_snr = -2 * torch.tensor(NOISE, dtype=torch.float64).log()
        self.times = model.denoiser.process.schedule.t_from_log_snr(log_snr)

    def __call__(self, pictures: Pictures) -> PixelFeatures:
        """Return (N, D, H, W) float32 for uint8 pictures of the model's size, on the CPU."""
        device = device_of(self.denoiser)

        def act(part: slice) -> Tensor:
            x0 = to_model(pictures[part]).to(device)
            return torch.cat([self._at(x0, level) for level in range(len(NOISE))], 1).cpu()

        with torch.inference_mode():
            return torch.cat(list(in_parts(len(pictures), AT_ONCE, act)))

    def _at(self, x0: Samples, level: int) -> PixelFeatures:
        """The features at one level of noise. The network is told no condition."""
        t = self.times[level].to(x0.device).expand(len(x0))
        x_t = self.denoiser.process.corrupt(x0, t, self.noise[level].to(x0).expand_as(x0))
        nothing = self.model.conditions.encode([{}] * len(x0))
        cond = {name: rows.to(x0.device) for name, rows in nothing.items()}
        seen: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, answer: Tensor) -> None:
            seen.append(answer)

        hooks = [stage.register_forward_hook(keep) for stage in self.stages]
        try:
            self.denoiser(x_t, t, cond)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat([enlarged(h, self.denoiser, x0.shape[-2:]) for h in seen], 1)


def decoder_stages(network: nn.Module) -> list[nn.Module]:
    """Return up to ``STAGES`` modules spread over the decoder of a network, the last one among them.

    All our U-Nets call their way up ``up`` (or up0, up1 ...). A transformer has only ``blocks``, of which the
    second half counts. Raises ValueError for a network with neither.
    """
    found: list[nn.Module] = []
    for name, child in network.named_children():
        if name.startswith("up"):
            found.extend(child if isinstance(child, nn.ModuleList) else [child])
    blocks = getattr(network, "blocks", None)
    if not found and isinstance(blocks, nn.ModuleList):
        found = list(blocks)[len(blocks) // 2 :]
    if not found:
        raise ValueError(f"{type(network).__name__} has no decoder: neither modules called up..., nor blocks")
    count = min(STAGES, len(found))
    return [found[math.ceil((i + 1) * len(found) / count) - 1] for i in range(count)]


def enlarged(h: Tensor, denoiser: Denoiser, size: tuple[int, int] | torch.Size) -> PixelFeatures:
    """Return features, (B, D, h, w) or a transformer's tokens (B, h w, D), at the size of the picture."""
    network = denoiser.network
    multiple = getattr(network, "multiple", 1)  # networks pad pictures to a multiple of it
    if h.ndim == 3:
        multiple = getattr(network.tokens, "patch", 1)
        h = h.transpose(1, 2).unflatten(2, (-(-size[0] // multiple), -(-size[1] // multiple)))
    padded = [-(-side // multiple) * multiple for side in size]
    whole = F.interpolate(h.float(), padded, mode="bilinear", align_corners=False)
    return whole[..., : size[0], : size[1]]


@dataclass(frozen=True)
class Segmenter:
    """An ensemble that tells the class of every pixel."""

    features: Features
    mean: PerFeature
    std: PerFeature
    members: tuple[nn.Module, ...]

    def __call__(self, pictures: Pictures, progress: Callable[[int, int], None] | None = None) -> Masks:
        """Return the most probable class of every pixel of uint8 pictures of the model's size.

        The probabilities of the members are averaged. ``progress`` hears how many of all pictures are done.
        """
        answers = []
        for start in range(0, len(pictures), AT_ONCE):
            answers.append(self._vote(self.features(pictures[start : start + AT_ONCE])))
            if progress:
                progress(min(start + AT_ONCE, len(pictures)), len(pictures))
        return torch.cat(answers)

    def _vote(self, features: PixelFeatures) -> Masks:
        n, _, height, width = features.shape
        rows = (features.permute(0, 2, 3, 1).flatten(0, 2) - self.mean) / self.std
        with torch.inference_mode():
            shares = torch.stack([member(rows).softmax(1) for member in self.members]).mean(0)
        return shares.argmax(1).reshape(n, height, width)


def learn(features: Features, pictures: Pictures, masks: Masks, seed: int = 0) -> Segmenter:
    """Return the segmenter of labelled uint8 pictures, (N, C, H, W); deterministic given the seed."""
    generator = torch.Generator().manual_seed(seed)
    each = min(max(1, PIXELS // len(pictures)), masks[0].numel())
    rows, classes = [], []
    for i in range(len(pictures)):
        chosen = torch.randperm(masks[i].numel(), generator=generator)[:each]
        rows.append(features(pictures[i : i + 1])[0].flatten(1).T[chosen])
        classes.append(masks[i].flatten()[chosen])
    x, y = torch.cat(rows), torch.cat(classes)
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
    x = (x - mean) / std
    members = tuple(_member(x, y, int(masks.max()) + 1, seed + i) for i in range(MEMBERS))
    return Segmenter(features, mean, std, members)


def _member(x: Float[Tensor, "M D"], y: PixelClasses, classes: int, seed: int) -> nn.Module:
    """One classifier: layers of 128 and 32 with batch norm, trained by Adam (appendix of the paper)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            *(nn.Linear(x.shape[1], 128), nn.ReLU(), nn.BatchNorm1d(128)),
            *(nn.Linear(128, 32), nn.ReLU(), nn.BatchNorm1d(32)),
            nn.Linear(32, classes),
        )
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(net.parameters(), LEARNING_RATE)
    for _ in range(STEPS):
        some = torch.randint(len(x), (BATCH,), generator=generator)
        optimiser.zero_grad()
        F.cross_entropy(net(x[some]), y[some]).backward()
        optimiser.step()
    return net.eval()


def mean_iou(answers: Masks, truth: Masks) -> float:
    """Return the mean over the true classes of: pixels where both name it, over those where either does.

    Counted over all pictures together.
    """
    ious = []
    for k in truth.unique().tolist():
        said, true = answers == k, truth == k
        ious.append(((said & true).sum() / (said | true).sum()).item())
    return sum(ious) / len(ious)


def checked(features: Features, pictures: Pictures, masks: Masks, seed: int = 0) -> float:
    """Return the mean IoU on labelled pictures, each half segmented by what was learnt from the other.

    Raises ValueError for a single picture.
    """
    if len(pictures) < 2:
        raise ValueError("to check, there must be two labelled pictures")
    odd = torch.arange(len(pictures)) % 2 == 1
    answers = torch.empty_like(masks)
    for half in (odd, ~odd):
        answers[half] = learn(features, pictures[~half], masks[~half], seed)(pictures[half])
    return mean_iou(answers, masks)
