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
        from fogcatcher.model.autoencoder_files import is_autoencoder
        from fogcatcher.model.model import load

        if is_autoencoder(Path(self.model)):
            self._export_autoencoder()
            return
        model = load(self.model, self.best, self.ema)
        if self.to == "hub":
            if not self.out:
                raise UserError("say under which name on the Hub: --out user/name.")
            print(f"sent: {model.push_to_hub(self.out, private=self.private)}")
            return
        out = Path(self.out or f"{folder_name(self.model)}{FORMATS[self.to].ending}")
        export_files(model, self.to, out)
        print(f"written: {out}")

    def _export_autoencoder(self) -> None:
        """The folder of an ``AutoencoderKL`` or ``VQModel``."""
        from fogcatcher.cli.arguments import folder_name
        from fogcatcher.exchange.diffusers_autoencoder import write_diffusers_autoencoder
        from fogcatcher.exchange.formats import FORMATS
        from fogcatcher.model.autoencoder_files import load_autoencoder

        if self.to != "diffusers":
            raise UserError(f"{self.model} is an autoencoder, which goes out as --to diffusers alone.")
        out = Path(self.out or f"{folder_name(self.model)}{FORMATS[self.to].ending}")
        write_diffusers_autoencoder(load_autoencoder(Path(self.model)), out)
        print(f"written: {out}")


@dataclass
class Import:
    """Make a run directory of a diffusers model: a UNet2DModel, or one asked in words, with its scheduler; or
    an AutoencoderKL or VQModel alone, for fogcatcher train DATA --latents.

    Example:  fogcatcher import ddpm-cifar10-32 --out runs/cifar10
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
    """Folder with unet/ and scheduler/, as diffusers' save_pretrained writes it; safetensors only. One
    that is asked in words has text_encoder/, too."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Run directory to make. Default: runs/NAME after the folder."""

    def run(self) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.exchange.diffusers_autoencoder import autoencoder_in
        from fogcatcher.exchange.from_diffusers import read_model

        out = self.out or Path("runs", self.folder.resolve().name)
        if out.exists():
            raise UserError(f"{out} is there already: name another folder with --out.")
        if autoencoder_in(self.folder) == self.folder:
            self._import_autoencoder(out)
            return
        model = read_model(self.folder)
        model.save(out)
        millions = sum(p.numel() for p in model.denoiser.parameters()) / 1e6
        pictures = model.config.pixels
        print(f"{millions:.1f} M parameters, {pictures.width}x{pictures.height}: {out}")
        print(f"draw with it: {command_name()} sample {out} -n 16")

    def _import_autoencoder(self, out: Path) -> None:
        from fogcatcher.cli.arguments import command_name
        from fogcatcher.exchange.diffusers_autoencoder import read_diffusers_autoencoder
        from fogcatcher.model.autoencoder_files import save_autoencoder

        stage = read_diffusers_autoencoder(self.folder)
        save_autoencoder(stage, out)
        shape = stage.network.shape
        what = f"{shape.codes:,} codes" if shape.codes else "KL"
        print(f"an autoencoder ({what}): sides {stage.factor} times smaller, {shape.latent} channels: {out}")
        print(f"train in its latents: {command_name()} train DATA --latents {out}")
