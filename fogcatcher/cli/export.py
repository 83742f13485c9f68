"""``fogcatcher export`` and ``fogcatcher import``: models for other programs, and from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from fogcatcher.base.errors import UserError


@dataclass
class Export:
    """Write a trained model in the form that another program opens.

    diffusers: a folder that DiffusionPipeline.from_pretrained opens where fogcatcher is not installed.
    onnx: one file; fogcatcher.exchange.onnx_runtime draws with it without torch.
    torch: one file of torch.export, the denoiser with its preconditioning.
    hub: the Hugging Face Hub, under the name user/name given with --out.

    Example:  fogcatcher export runs/my-sprites --to diffusers --out my-pipeline
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN", help_behavior_hint="")]
    """Run directory, or a model that comes with the program: sprites."""
    to: Literal["diffusers", "onnx", "torch", "hub"]
    """What for."""
    out: Annotated[str | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """Folder or file to write. Default: named after the run, where you are."""
    best: bool = False
    """Use the weights of the lowest held-out loss instead of the newest."""
    ema: Annotated[float | None, tyro.conf.arg(metavar="LENGTH", help_behavior_hint="")] = None
    """Use the weights averaged over another share of the run, 0.03 to 0.2; 0.1 is the usual one."""
    private: bool = False
    """On the hub, for you alone."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import folder_name
        from fogcatcher.exchange.formats import FORMATS, export_files
        from fogcatcher.model.model import load

        model = load(self.model, self.best, self.ema)
        if self.to == "hub":
            if not self.out:
                raise UserError("say under which name on the Hub: --out user/name.")
            print(f"sent: {model.push_to_hub(self.out, private=self.private)}")
            return
        out = Path(self.out or f"{folder_name(self.model)}{FORMATS[self.to].ending}")
        export_files(model, self.to, out)
        print(f"written: {out}")


@dataclass
class Import:
    """Make a run directory of a diffusers model: a UNet2DModel, or one asked in words, with its scheduler.

    Example:  fogcatcher import ddpm-cifar10-32 --out runs/cifar10
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
    """Folder with unet/ and scheduler/, as diffusers' save_pretrained writes it; safetensors only. One
    that is asked in words has text_encoder/, too."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Run directory to make. Default: runs/NAME after the folder."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.exchange.from_diffusers import read_model

        out = self.out or Path("runs", self.folder.resolve().name)
        if out.exists():
            raise UserError(f"{out} is there already: name another folder with --out.")
        model = read_model(self.folder)
        model.save(out)
        millions = sum(p.numel() for p in model.denoiser.parameters()) / 1e6
        pictures = model.config.pixels
        print(f"{millions:.1f} M parameters, {pictures.width}x{pictures.height}: {out}")
        print(f"draw with it: {command_name()} sample {out} -n 16")
