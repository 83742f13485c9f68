"""A run of the exact model with weights of other steps: each leans its classes aside by another amount."""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from fogcatcher.model.model import Model
from tests.exact_models import gaussian_model

EARLIEST, LAST, RAW = 0.9, 0.3, 0.4


def run_with_kept_weights(folder: Path) -> Model:
    """Averages of steps 50 and 600, and a checkpoint of step 600 whose weights are not their average."""
    model = gaussian_model(lean=LAST)
    (folder / "averages").mkdir(parents=True)
    (folder / "state").mkdir()
    for step, lean in ((50, EARLIEST), (600, LAST)):
        average = {"ema/network.lean": torch.tensor(lean), "short/network.lean": torch.tensor(lean)}
        save_file(average, folder / "averages" / f"step-{step:09d}.safetensors")
    state = {"raw/network.lean": torch.tensor(RAW), "ema/network.lean": torch.tensor(LAST)}
    save_file(state, folder / "state" / "step-000000600.safetensors")
    config = replace(model.config, training=replace(model.config.training, ema_gamma=6.0))
    return Model(model.denoiser, config, model.conditions, folder=folder)
