"""Images per second and memory of our default network against diffusers' and denoising-diffusion-pytorch's.

    pip install --no-deps denoising-diffusion-pytorch einops ema-pytorch accelerate
    python benchmarks/networks.py [--parameters 1.8e6] [--side 32] [--batch 32] [--rounds 15] [--device cuda]

All three have about as many parameters (each its own width nearest to that) and see the same pictures. They
take turns in one process, so that whatever else the machine does hits all alike; the figure is the median.
Memory is what three training steps need beyond the network, in a process of their own. On a GPU all are
compiled and run in bfloat16.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import torch
from torch import Tensor, nn

from fogcatcher.model.choose_network import Wanted, build_network, choose_network
from fogcatcher.model.config import NetworkConfig

Call = Callable[[Tensor, Tensor], Tensor]
"""(B, 3, side, side) and (B,) noise labels -> (B, 3, side, side)."""
OURS, DIFFUSERS, DDP = "fogcatcher small", "diffusers UNet2DModel", "denoising-diffusion-pytorch Unet"
NAMES = (OURS, DIFFUSERS, DDP)


class Ours(nn.Module):
    def __init__(self, parameters: float, side: int) -> None:
        super().__init__()
        wanted = Wanted(NetworkConfig(), 3, (side, side), {})
        config = choose_network("small", str(int(parameters)), wanted)
        self.network = build_network(replace(wanted, config=config)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.network(x, label / 500 - 1)


class Diffusers(nn.Module):
    def __init__(self, width: int, side: int, channels: int = 3) -> None:
        super().__init__()
        from diffusers.models.unets.unet_2d import UNet2DModel

        self.network = UNet2DModel(
            sample_size=side,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=2,
            block_out_channels=(width, 2 * width, 4 * width),
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            norm_num_groups=4,
        )

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.network(x, label, return_dict=False)[0]


class DenoisingDiffusionPytorch(nn.Module):
    def __init__(self, width: int, side: int, channels: int = 3) -> None:
        super().__init__()
        # Its loader of pictures wants torchvision and a network for FID, its network does not.
        for name in ("torchvision", "pytorch_fid"):
            stub = types.ModuleType(name)
            stub.__getattr__ = lambda _: MagicMock()  # type: ignore[method-assign]
            sys.modules.setdefault(name, stub)
        for name in (
            "torchvision.transforms",
            "torchvision.utils",
            "pytorch_fid.fid_score",
            "pytorch_fid.inception",
        ):
            sys.modules.setdefault(name, MagicMock())
        from denoising_diffusion_pytorch.denoising_diffusion_pytorch import Unet  # type: ignore[import-not-found]

        self.network = Unet(dim=width, dim_mults=(1, 2, 4), channels=channels)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.network(x, label)


def size_of(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def network_of(name: str, parameters: float, side: int) -> nn.Module:
    """The network of a peer whose width gives about so many parameters."""
    torch.manual_seed(0)
    if name == OURS:
        return Ours(parameters, side)
    kind = Diffusers if name == DIFFUSERS else DenoisingDiffusionPytorch
    with torch.device("meta"):
        sizes = {width: size_of(kind(width, side)) for width in range(8, 132, 4)}
    return kind(min(sizes, key=lambda width: abs(sizes[width] - parameters)), side)


def train_step(network: Call, x: Tensor, label: Tensor) -> None:
    network(x, label).square().mean().backward()


def draw_step(network: Call, x: Tensor, label: Tensor) -> None:
    with torch.no_grad():
        network(x, label)


def seconds(step: Callable[[Call, Tensor, Tensor], None], network: Call, x: Tensor, label: Tensor) -> float:
    with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
        start = time.perf_counter()
        step(network, x, label)
        if x.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start


def pictures(a: argparse.Namespace) -> tuple[Tensor, Tensor]:
    x = torch.randn(a.batch, 3, a.side, a.side, device=a.device)
    return x, torch.full((a.batch,), 300.0, device=a.device)


def memory(name: str, a: argparse.Namespace) -> float:
    """Peak memory, in MB, of three training steps in a process of their own, less what it had before."""
    arguments = [
        *("--parameters", a.parameters),
        *("--side", a.side),
        *("--batch", a.batch),
        *("--only", name),
    ]
    told = [sys.executable, __file__, *map(str, arguments), "--device", a.device]
    return float(subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def memory_mb(what: str) -> float:
    """VmRSS, what this process holds, or VmHWM, the most it ever held. Linux; a child's peak is its own."""
    line = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(what))
    return int(line.split()[1]) / 2**10


def only(name: str, a: argparse.Namespace) -> None:
    network = network_of(name, a.parameters, a.side).to(a.device)
    x, label = pictures(a)
    before = memory_mb("VmRSS")
    for _ in range(3):
        seconds(train_step, network, x, label)
    print(torch.cuda.max_memory_allocated() / 2**20 if x.is_cuda else memory_mb("VmHWM") - before)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parameters", type=float, default=1.8e6)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.only:
        only(a.only, a)
        return
    networks = {name: network_of(name, a.parameters, a.side).to(a.device) for name in NAMES}
    calls: dict[str, Call] = {
        name: torch.compile(network) if a.device == "cuda" else network for name, network in networks.items()
    }
    x, label = pictures(a)
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(-3, a.rounds):
        for name in NAMES:
            for what, step in (("train", train_step), ("draw", draw_step)):
                networks[name].train(what == "train")
                took = seconds(step, calls[name], x, label)
                if turn >= 0:
                    found.setdefault((name, what), []).append(a.batch / took)
    rates = {key: statistics.median(values) for key, values in found.items()}
    held = {name: memory(name, a) for name in NAMES}
    print(f"{a.side}x{a.side}, batch {a.batch}, {a.device}, {torch.get_num_threads()} threads, images/s")
    for name in NAMES:
        figures = "   ".join(f"{what} {rates[name, what]:8.1f}" for what in ("train", "draw"))
        print(f"{name:34} {size_of(networks[name]) / 1e6:5.2f} M   {figures}   {held[name]:6.0f} MB")
    for what in ("train", "draw"):
        best = max(rates[name, what] for name in NAMES[1:])
        print(f"{what}: {rates[OURS, what] / best:.2f} times the faster peer")
    print(f"memory: {held[OURS] / min(held[name] for name in NAMES[1:]):.2f} of the smaller peer's")


if __name__ == "__main__":
    main()
